"""Ansible connection into a small tree on this machine.

A module that is Ansible's own runs in a fork of the process that has loaded it
already; everything else as a program in the tree. Modules that need a whole
machine (packages, units) only write down what they were asked for.
"""

from __future__ import annotations

DOCUMENTATION = """
name: tree
short_description: run in a chroot
description: Runs in a chroot.
options: {}
extends_documentation_fragment:
  - connection_pipelining
"""

import ast
import json
import os
import re
import select
import shutil
import sys
import types

from ansible.plugins.connection import ConnectionBase

ROOT = os.environ["SOUNDNESS_ROOT"]
PLAIN = os.environ["SOUNDNESS_PLAIN"]
STAND_INS = {"apt", "systemd", "systemd_service", "service", "dnf", "yum", "pip", "hostname", "mount", "sysctl"}
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
MODULE = re.compile(r"mod_name='(?P<name>[\w.]+)'")


class Connection(ConnectionBase):
    transport = "tree"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def close(self):
        self._connected = False

    def reset(self):
        pass

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super(Connection, self).exec_command(cmd, in_data=in_data, sudoable=sudoable)
        text = (in_data or b"").decode("utf-8", "surrogateescape")
        name = MODULE.search(text)
        # An environment is set in the command; such a module runs as a program.
        if PLAIN and name and name.group("name").startswith("ansible.modules.") and re.fullmatch(r"/bin/sh -c '/usr/bin/python3( && sleep 0)?'", cmd):
            short = name.group("name").split(".")[-1]
            return in_tree(b"", lambda: module(short, text))
        return in_tree(in_data or b"", lambda: program(cmd))

    def put_file(self, in_path, out_path):
        super(Connection, self).put_file(in_path, out_path)
        shutil.copyfile(in_path, ROOT + out_path)

    def fetch_file(self, in_path, out_path):
        super(Connection, self).fetch_file(in_path, out_path)
        shutil.copyfile(ROOT + in_path, out_path)


def program(cmd):
    os.execve("/bin/sh", ["/bin/sh", "-c", cmd], ENV)


def module(name, source):
    """Runs a module as its wrapper does."""
    params = parameters(source)
    if name in STAND_INS:
        args = {k: v for k, v in params["ANSIBLE_MODULE_ARGS"].items() if not k.startswith("_ansible_")}
        with open("/var/asked/" + name, "a") as f:
            f.write(json.dumps(args, sort_keys=True) + "\n")
        sys.stdout.write(json.dumps({"changed": True, "invocation": {"module_args": args}}))
        return
    import runpy
    import ansible.module_utils.basic as basic
    basic._ANSIBLE_ARGS = json.dumps(params).encode()
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = ["ansible"]
    runpy.run_module("ansible.modules." + name, init_globals={"_module_fqn": "ansible.modules." + name, "_modlib_path": "/"},
                     run_name="__main__", alter_sys=True)


def parameters(source):
    """The arguments in a module's wrapper."""
    found = re.search(r"^\s*ANSIBALLZ_PARAMS = (.*)$", source, re.M)
    return json.loads(ast.literal_eval(found.group(1)))


def in_tree(in_data, what):
    """Calls what in a fork with the tree as its root, and returns its status and what it wrote."""
    ends = [os.pipe() for _ in range(3)]
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.dup2(ends[0][0], 0)
            os.dup2(ends[1][1], 1)
            os.dup2(ends[2][1], 2)
            for r, w in ends:
                os.close(r)
                os.close(w)
            sys.stdin = open(0, closefd=False)
            sys.stdout = open(1, "w", closefd=False)
            sys.stderr = open(2, "w", closefd=False)
            os.environ.clear()
            os.environ.update(ENV)
            os.chroot(ROOT)
            os.chdir("/root")
            os.umask(0o022)
            what()
            status = 0
        except SystemExit as e:
            status = e.code if isinstance(e.code, int) else (0 if e.code is None else 1)
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    for fd in (ends[0][0], ends[1][1], ends[2][1]):
        os.close(fd)
    out = talk(in_data, ends[0][1], ends[1][0], ends[2][0])
    return (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),) + out


def talk(in_data, stdin, stdout, stderr):
    output = {stdout: b"", stderr: b""}
    writing = [stdin]
    reading = [stdout, stderr]
    while reading:
        r, w, _ = select.select(reading, writing, [])
        for fd in w:
            try:
                in_data = in_data[os.write(fd, in_data[:65536]) if in_data else 0:]
            except BrokenPipeError:
                in_data = b""
            if not in_data:
                os.close(fd)
                writing = []
        for fd in r:
            chunk = os.read(fd, 65536)
            output[fd] += chunk
            if not chunk:
                os.close(fd)
                reading.remove(fd)
    if writing:
        os.close(stdin)
    return output[stdout], output[stderr]
