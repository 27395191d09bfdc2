"""Ansible connection to the agent of a Strata sandbox.

One unix socket connection for each command: a byte that carries the three
descriptors of the program, then the request as JSON; the agent answers with a
JSON object that has the exit status. No shell, no copy, no login in between.
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
"""

import array
import json
import os
import socket
import threading

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "strata"
    has_pipelining = True
    become_methods = frozenset(("su", "sudo", "runas"))
    has_tty = False

    def _connect(self):
        self._connected = True
        return self

    def close(self):
        self._connected = False

    def reset(self):
        pass

    def _request(self, args, stdin, stdout, stderr):
        """Runs a program with the given descriptors and returns its exit status."""
        request = {"op": "run", "args": args, "env": json.loads(os.environ["STRATA_ENVIRONMENT"])}
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
            raise AnsibleConnectionFailure("run in the sandbox: %s" % reply["error"])
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
        ends = [os.pipe() for _ in range(3)]  # stdin, stdout, stderr: (read, write)
        output = [b"", b""]

        def feed():
            with os.fdopen(ends[0][1], "wb") as w:
                try:
                    w.write(in_data or b"")
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
            status = self._request(["/bin/sh", "-c", to_text(cmd)], ends[0][0], ends[1][1], ends[2][1])
        finally:
            for fd in (ends[0][0], ends[1][1], ends[2][1]):
                os.close(fd)
        for t in threads[1:]:
            # A daemon that the program left behind may hold the pipe open.
            t.join(timeout=2)
        return status, output[0], output[1]

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
