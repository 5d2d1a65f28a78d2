"""Commands with a time limit that keep what they said until then."""

import os
import signal
import subprocess
import tempfile


def finished(command, seconds, env=None):
    """(exit code or None, stdout, stderr) of a command that is stopped after so many seconds."""
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
    words = [str(word) for word in command]
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, start_new_session=True
    )


def stop(process):
    """The process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
