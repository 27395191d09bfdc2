"""Ansible connection to the agent of a Strata sandbox.

One unix socket connection for each command: a byte that carries the three
descriptors of the program, then the request as JSON; the agent answers with a
JSON object that has the exit status. No shell, no copy, no login in between.

What a module shares with all others goes with it as bytecode, too: the tree's
Python would otherwise compile it anew in every task, a third of what it does.
"""

from __future__ import annotations

DOCUMENTATION = """
name: strata
short_description: run in the tree of an image that Strata builds
description: Talks to the agent of a Strata sandbox.
options:
  socket:
    description: Path of the agent's socket.
    vars:
      - name: ansible_strata_socket
    required: true
extends_documentation_fragment:
  - connection_pipelining
"""

import array
import base64
import hashlib
import importlib.machinery
import importlib.util
import io
import json
import marshal
import os
import re
import socket
import struct
import sys
import tempfile
import threading
import zipfile

import ansible.module_utils
from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "strata"
    has_pipelining = True
    become_methods = frozenset(("strata", "su", "sudo", "runas"))
    has_tty = False
    default_user = "root"  # who commands run as, whatever user the site logs in as

    def _connect(self):
        self._connected = True
        return self

    def close(self):
        self._connected = False

    def reset(self):
        pass

    def _request(self, args, stdin, stdout, stderr, become=None):
        """Runs a program with the given descriptors and returns its exit status."""
        request = {"op": "run", "args": args, "env": json.loads(os.environ["STRATA_ENVIRONMENT"])}
        request.update(become or {})
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
            try:
                self._dial(conn)
                rights = array.array("i", [stdin, stdout, stderr])
                conn.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
                conn.sendall(to_bytes(json.dumps(request)) + b"\n")
                answer = conn.makefile("rb").readline()
            except OSError as e:
                raise AnsibleConnectionFailure("reach the sandbox: %s" % to_native(e))
        if not answer:
            raise AnsibleConnectionFailure("the sandbox ended")
        reply = json.loads(answer)
        if reply.get("error"):
            raise AnsibleError(reply["error"])  # of this command: others may do
        return reply["status"]

    def _dial(self, conn):
        """Connects by way of the directory's descriptor: a socket's address is short."""
        path = self.get_option("socket")
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            conn.connect("/proc/self/fd/%d/%s" % (directory, os.path.basename(path)))
        finally:
            os.close(directory)

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super(Connection, self).exec_command(cmd, in_data=in_data, sudoable=sudoable)
        cmd, become = self._unmark(to_text(cmd))
        return self._communicate(["/bin/sh", "-c", cmd], self._with_bytecode(cmd, to_bytes(in_data or b"")), become)

    def _unmark(self, cmd):
        """The command itself, and whom the agent is to run it as, if the become plugin has marked it."""
        mark = self.become.mark() if getattr(self.become, "name", None) == "strata" else None
        if mark is None or mark not in cmd:
            return cmd, None
        return cmd.replace(mark, "", 1), {"user": self.become.user(), "login": self.become.login()}

    def _communicate(self, args, in_data, become=None):
        """Runs a program and returns its exit status and what it wrote on both descriptors."""
        ends = [os.pipe() for _ in range(3)]  # stdin, stdout, stderr: (read, write)
        output = [b"", b""]

        def feed():
            with os.fdopen(ends[0][1], "wb") as w:
                try:
                    w.write(in_data)
                except BrokenPipeError:
                    pass  # the program did not want it all

        def drain(i):
            with os.fdopen(ends[i + 1][0], "rb") as r:
                output[i] = r.read()

        threads = [threading.Thread(target=feed, daemon=True)]
        threads += [threading.Thread(target=drain, args=(i,), daemon=True) for i in range(2)]
        for t in threads:
            t.start()
        try:
            status = self._request(args, ends[0][0], ends[1][1], ends[2][1], become)
        finally:
            for fd in (ends[0][0], ends[1][1], ends[2][1]):
                os.close(fd)
        for t in threads[1:]:
            # A daemon that the program left behind may hold the pipe open.
            t.join(timeout=2)
        return status, output[0], output[1]

    def _with_bytecode(self, cmd, in_data):
        """Adds bytecode to a module on its way to a Python that can use it.

        Only Python source that Ansible packed as a zip archive is changed, and
        only by adding to the archive: a Python of another version takes the
        source, which is still there.
        """
        interpreter = INTERPRETER.findall(cmd)
        module = MODULE.search(in_data)
        if not (interpreter and module):
            return in_data
        try:
            if self._magic(interpreter[-1]) != OUR_MAGIC:
                return in_data
            archive = module.group("archive")
            packed = remember("module", archive, lambda: add_bytecode(archive))
        except (OSError, ValueError, zipfile.BadZipFile):
            return in_data  # it runs without
        return in_data[:module.start("archive")] + packed + in_data[module.end("archive"):]

    def _magic(self, interpreter):
        """What tells whether the tree's Python can use bytecode of this one."""
        return remember("magic", to_bytes(interpreter), lambda: self._communicate([interpreter, "-c", SAY_MAGIC], b"")[1])

    def put_file(self, in_path, out_path):
        super(Connection, self).put_file(in_path, out_path)
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound("there is no file %s" % to_native(in_path))
        with open(to_bytes(in_path), "rb") as f, open(os.devnull, "r+b") as null:
            self._copy(["/bin/sh", "-c", 'cat > "$1"', "sh", to_text(out_path)], f.fileno(), null.fileno(), out_path)

    def fetch_file(self, in_path, out_path):
        super(Connection, self).fetch_file(in_path, out_path)
        with open(to_bytes(out_path), "wb") as f, open(os.devnull, "r+b") as null:
            self._copy(["/bin/sh", "-c", 'cat < "$1"', "sh", to_text(in_path)], null.fileno(), f.fileno(), in_path)

    def _copy(self, args, stdin, stdout, path):
        r, w = os.pipe()
        try:
            status = self._request(args, stdin, stdout, w)
        finally:
            os.close(w)
        with os.fdopen(r, "rb") as f:
            message = f.read()
        if status != 0:
            raise AnsibleConnectionFailure("copy %s: %s" % (to_native(path), to_native(message)))


# The interpreter of a command to which a module is sent.
INTERPRETER = re.compile(r"(/[\w./+-]*python[\w.]*)")

# The archive in a module.
MODULE = re.compile(rb'ZIPDATA = """(?P<archive>[A-Za-z0-9+/=]+)"""')

SAY_MAGIC = "import importlib.util, sys; sys.stdout.write(sys.implementation.name + importlib.util.MAGIC_NUMBER.hex())"
OUR_MAGIC = to_bytes(sys.implementation.name + importlib.util.MAGIC_NUMBER.hex())

# What a name in an archive begins with that is Ansible's own and shared.
SHARED = "ansible/module_utils/"


def remember(kind, of, find):
    """Returns what find returns, and keeps it for this run of Ansible: every task is a process of its own.

    Nothing is not kept: a later task may install the Python that was not there.
    """
    name = "strata-%s-%s" % (kind, hashlib.sha256(of).hexdigest())
    path = os.path.join(constants.DEFAULT_LOCAL_TMP, name)
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        found = find()
    if not found:
        return found
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as f:
        f.write(found)
    os.rename(f.name, path)
    return found


def add_bytecode(archive):
    """Adds bytecode, in base64 as the archive itself, of the files that are as this Ansible has them."""
    content = io.BytesIO(base64.b64decode(archive))
    with zipfile.ZipFile(content, "a") as z:
        for name in z.namelist():
            if name.startswith(SHARED) and name.endswith(".py"):
                source = z.read(name)
                code = our_code(name[len(SHARED):], source)
                if code is not None:
                    z.writestr(name + "c", bytecode(source, code))
    return base64.b64encode(content.getvalue())


def our_code(name, source):
    """The code of a file of Ansible's module_utils, or None if that is not what source says."""
    path = os.path.join(os.path.dirname(ansible.module_utils.__file__), name)
    try:
        with open(path, "rb") as f:
            if f.read() != source:
                return None
        # This takes the code from __pycache__ where it is current.
        return importlib.machinery.SourceFileLoader(name, path).get_code(name)
    except (OSError, SyntaxError):
        return None


def bytecode(source, code):
    """A .pyc file as of PEP 552 that is valid whatever the time of the source."""
    unchecked = 1
    return importlib.util.MAGIC_NUMBER + struct.pack("<I", unchecked) + importlib.util.source_hash(source) + marshal.dumps(code)
