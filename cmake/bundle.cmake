# What `cmake --install BUILD --component bundle` makes: a folder whose programs start on any machine
# with Linux and glibc, with the libraries that they need, the tests' golden files and the scripts of
# bench/. CUDA's own libraries are not among them: kernels/vendor_library.cu looks for them where it
# runs.

set(installed "")
foreach(program standard deep dilated deformable enhanced compare drape_program
    drape_tests drape_cuda_tests bench_kernels bench_training)
  if(TARGET ${program})
    list(APPEND installed ${program})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
  endif()
endforeach()
if(NOT installed)
  return()
endif()

# The libraries' own libraries are found only if the programs' path counts for them too.
foreach(program IN LISTS installed)
  target_link_options(${program} PRIVATE -Wl,--disable-new-dtags)
endforeach()
set(bundle COMPONENT bundle EXCLUDE_FROM_ALL)
install(TARGETS ${installed} RUNTIME_DEPENDENCY_SET libraries RUNTIME DESTINATION bin ${bundle})
if(BUILD_SHARED_LIBS)
  set_target_properties(drape PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS drape RUNTIME_DEPENDENCY_SET libraries LIBRARY DESTINATION lib ${bundle} NAMELINK_SKIP)
endif()
install(RUNTIME_DEPENDENCY_SET libraries
  PRE_EXCLUDE_REGEXES "^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util))\\.so.*"
  POST_EXCLUDE_REGEXES "/libdrape\\.so.*"
  LIBRARY DESTINATION lib ${bundle})

install(DIRECTORY tests/golden DESTINATION tests ${bundle} FILES_MATCHING PATTERN "*.json" PATTERN "*.safetensors")
install(DIRECTORY bench/peers DESTINATION bench ${bundle} FILES_MATCHING PATTERN "*.py")
install(PROGRAMS bench/gpu_report.py bench/kernel_peers.py bench/to_accuracy.py bench/training_peers.py
  DESTINATION bench ${bundle})
install(FILES bench/gpu_bars.py bench/gpu_report_markdown.py bench/gpu_report_record.py bench/markdown.py
  bench/processes.py bench/systems.py DESTINATION bench ${bundle})
install(PROGRAMS cmake/bundle_run.sh DESTINATION . ${bundle} RENAME run)
install(FILES LICENSE DESTINATION . ${bundle})
