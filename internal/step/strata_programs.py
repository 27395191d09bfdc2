"""Has what Ansible starts on this machine be observed.

Python runs this before ansible-playbook, as sitecustomize. Each program is started
by way of Strata, which puts it under observation and then becomes it; nothing else
is slower. A process that starts in a way that is not known here is told of, and
then nobody takes what was seen for all there was.
"""

import array
import json
import os
import socket
import sys

observer = json.loads(os.environ.pop("STRATA_OBSERVER"))
here = os.path.dirname(os.path.abspath(__file__))


def leave():
    """Gives way to the machine's own sitecustomize, if it has one, here and in what is started."""
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p != here]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    if not any(paths):
        del os.environ["PYTHONPATH"]
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError:
        sys.modules["sitecustomize"] = ours


def tell(op, args=(), directory=""):
    """Tells the observer, and waits until it knows."""
    directory_of_socket = os.open(os.path.dirname(observer["socket"]), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
            conn.connect("/proc/self/fd/%d/%s" % (directory_of_socket, os.path.basename(observer["socket"])))
            conn.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [directory_of_socket]))])
            conn.sendall(json.dumps({"op": op, "args": [os.fsdecode(a) for a in args], "dir": directory}).encode() + b"\n")
            conn.makefile("rb").readline()
    except OSError:
        pass  # it is at its end, and wants to know nothing more
    finally:
        os.close(directory_of_socket)


def observed(paths, args, directory=None):
    """The program and the arguments to start in place of args, or None where there is no such program."""
    directory = os.fsdecode(directory or ".")
    if not any(os.access(os.path.join(directory, os.fsdecode(p)), os.X_OK) for p in paths):
        tell("missing", paths, os.path.abspath(directory))
        return None
    start = [os.fsencode(a) for a in observer["args"] + [str(len(paths))]]
    return os.fsencode(observer["program"]), start + [os.fsencode(p) for p in paths] + [os.fsencode(a) for a in args]


def install():
    import _posixsubprocess
    import subprocess

    fork_exec = _posixsubprocess.fork_exec

    def fork_exec_observed(args, executables, close_fds, pass_fds, cwd, *rest):
        start = observed(executables, args, cwd)
        if start is None:
            return fork_exec(args, executables, close_fds, pass_fds, cwd, *rest)
        return fork_exec(start[1], (start[0],), close_fds, pass_fds, cwd, *rest)

    _posixsubprocess.fork_exec = fork_exec_observed
    if hasattr(subprocess, "_fork_exec"):
        subprocess._fork_exec = fork_exec_observed
    subprocess._USE_POSIX_SPAWN = False  # it would go another way

    execv, execve, spawn = os.execv, os.execve, os.posix_spawn

    def execv_observed(path, args):
        start = observed([path], args)
        execv(*(start or (path, args)))

    def execve_observed(path, args, env):
        start = None if isinstance(path, int) else observed([path], args)
        if isinstance(path, int):
            tell("unobserved", ["a program is started by a descriptor"])
        execve(*(start or (path, args)), env)

    def spawn_observed(path, args, env, **how):
        return spawn(*(observed([path], args) or (path, args)), env, **how)

    def spawnp_observed(path, args, env, **how):
        paths = [path] if os.path.dirname(path) else [os.path.join(os.fsencode(d), os.fsencode(path)) for d in os.get_exec_path()]
        return spawn(*(observed(paths, args) or (path, args)), env, **how)

    def system_observed(command):
        status = subprocess.call(command, shell=True)
        return status << 8 if status >= 0 else -status

    os.execv, os.execve, os.posix_spawn, os.posix_spawnp, os.system = (
        execv_observed, execve_observed, spawn_observed, spawnp_observed, system_observed)


def of_ansible():
    """Whether this is ansible-playbook, and no other Python that is run on the way to it."""
    with open("/proc/self/cmdline", "rb") as f:
        return any(os.path.basename(arg).startswith(b"ansible-playbook") for arg in f.read().split(b"\0"))


leave()
install()
if of_ansible():
    tell("ready")
