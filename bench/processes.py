"""Commands of words of any type: on so many cores, and within so many seconds."""

import os
import signal
import subprocess
import tempfile

KILL_SECONDS = 10  # a process that waits for a driver may take longer to go: it is left behind


def run(command, **options):
    """subprocess.run of the command, in text."""
    return subprocess.run(words(command), text=True, **options)


def words(command):
    return [str(word) for word in command]


def pinned(threads):
    """Options of subprocess that keep a command to the first `threads` of our cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return {
        "env": {**os.environ, "OMP_NUM_THREADS": str(threads)},
        "preexec_fn": lambda: os.sched_setaffinity(0, cores),
    }


def finished(command, seconds, env=None):
    """(exit code or None, stdout, stderr) of a command that is stopped after so many seconds.

    What it said until then is kept.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = start(command, out, err, env)
        except OSError as missing:
            return None, "", str(missing)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            stop(process)
            code = None
        for file in (out, err):
            file.seek(0)
        return code, *(file.read().decode(errors="replace") for file in (out, err))


def start(command, out, err, env=None):
    """With a process group of its own."""
    return subprocess.Popen(
        words(command),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=env,
        start_new_session=True,
    )


def stop(process):
    """The process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        pass


def write_whole(path, text):
    """Replaces the file: who reads it, or stops the writer, finds the old or the new one."""
    scratch = path.with_name(path.name + ".partial")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
