"""Runs the real ansible-playbook on small trees, many times, fast.

Reads jobs as lines of JSON, answers each with one. Every run is ansible-playbook
from its command line on, in a process of its own; what is shared is that
Python has loaded what does not depend on a project. The connection plugin
beside this file runs modules in a small tree, a chroot with the machine's /usr.

Needs a mount namespace of its own: unshare --mount driver.py DIRECTORY
"""

import base64
import gc
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import stat
import subprocess
import sys

WORK = sys.argv[1]
PROJECT, ROOT, TEMP, LOCAL, WARM = (os.path.join(WORK, d) for d in ("project", "root", "temp", "local", "warm"))
HERE = os.path.dirname(os.path.abspath(__file__))
MOUNTED = {"usr", "dev"}

# Users as a base system has them, for modules that name them.
PASSWD = {"root": 0, "daemon": 1, "adm": 3, "users": 100, "munge": 150, "slurm": 151, "nobody": 65534}


def prepare():
    """Mounts what all runs of this process use."""
    mount = lambda *args: subprocess.run(("mount",) + args, check=True)
    os.makedirs(WORK, exist_ok=True)
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", WORK)
    for d in (PROJECT, ROOT, TEMP, LOCAL, WARM, ROOT + "/usr", ROOT + "/dev"):
        os.mkdir(d)
    mount("--bind", "/usr", ROOT + "/usr")
    mount("-o", "remount,bind,ro", ROOT + "/usr")
    for name in ("null", "zero", "urandom"):
        open(ROOT + "/dev/" + name, "w").close()
        mount("--bind", "/dev/" + name, ROOT + "/dev/" + name)


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)


def clear(directory, keep=()):
    for entry in os.scandir(directory):
        if entry.name in keep:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def fresh_root():
    clear(ROOT, MOUNTED)
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), os.path.join(ROOT, name))
    for name, mode in (("etc", 0o755), ("tmp", 0o1777), ("var", 0o755), ("run", 0o755), ("root", 0o700), ("home", 0o755), ("srv", 0o755)):
        os.mkdir(os.path.join(ROOT, name))
        os.chmod(os.path.join(ROOT, name), mode)
    os.makedirs(ROOT + "/var/asked")
    os.makedirs(ROOT + "/var/tmp")
    os.makedirs(ROOT + "/etc/skel")
    lines = lambda form: "".join(form % (n, i) for n, i in PASSWD.items()).encode()
    write(ROOT + "/etc/passwd", "".join("%s:x:%d:%d::/:/bin/sh\n" % (n, i, i) for n, i in PASSWD.items()).encode())
    write(ROOT + "/etc/group", lines("%s:x:%d:\n"))
    write(ROOT + "/etc/shadow", "".join("%s:*:1:0:99999:7:::\n" % n for n in PASSWD).encode(), 0o640)
    for d in ("chrony", "sysctl.d", "modprobe.d", "systemd/network", "systemd/system", "security/limits.d", "ssh/sshd_config.d",
              "slurm", "munge", "update-motd.d"):
        os.makedirs(ROOT + "/etc/" + d)
    write(ROOT + "/etc/munge/munge.key", b"random")
    write(ROOT + "/etc/update-motd.d/10-uname", b"uname")
    write(ROOT + "/etc/nsswitch.conf", b"passwd: files\ngroup: files\nshadow: files\n")


def survey():
    """What the tree has, in a canonical form."""
    found = {}
    for directory, dirs, files in os.walk(ROOT):
        rel = os.path.relpath(directory, ROOT)
        if rel == ".":
            dirs[:] = [d for d in dirs if d not in MOUNTED | {"tmp"}]
        for name in dirs + files:
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, ROOT)
            if relative in ("tmp", "root/.ansible") or relative.startswith("root/.ansible/"):
                continue
            st = os.lstat(path)
            entry = "%o %d:%d" % (st.st_mode, st.st_uid, st.st_gid)
            if stat.S_ISLNK(st.st_mode):
                entry += " -> " + os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    content = f.read()
                if relative.startswith("etc/shadow"):  # the day of the last change
                    content = re.sub(rb"(?m)^([^:]*:[^:]*):\d*:", rb"\1::", content)
                entry += " " + hashlib.sha256(content).hexdigest()
            found[relative] = entry
    return found


def fresh_project(files):
    clear(PROJECT)
    for name, f in files.items():
        path = os.path.join(PROJECT, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if f.get("link"):
            os.symlink(f["link"], path)
        else:
            write(path, base64.b64decode(f["data"]), f.get("mode", 0o644))


def environment(job):
    """As package step sets it."""
    config = os.path.join(PROJECT, job.get("config") or "ansible.cfg")
    if not os.path.exists(config):
        config = LOCAL + "/empty.cfg"
        write(config, b"")
    env = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
    env.update({
        "ANSIBLE_CONNECTION_PLUGINS": HERE + "/connection", "ANSIBLE_LOCAL_TEMP": LOCAL, "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_NOCOLOR": "1", "ANSIBLE_TRANSPORT": "tree", "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_CONFIG": config, "ANSIBLE_DEPRECATION_WARNINGS": "0", "HOME": TEMP + "/home", "SOUNDNESS_ROOT": ROOT,
        "SOUNDNESS_PLAIN": plain(job), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    })
    return env


def plain(job):
    """Whether the project has no modules of its own, which could stand in the place of Ansible's."""
    own = re.compile(r"(^|/)(library|module_utils|modules)/")
    return "" if any(own.search(name) for name in job["files"]) else "1"


def inventory(job):
    member = {"hosts": {job["host"]: None}}
    children = {"strata_image": {"hosts": member["hosts"], "vars": {"strata_image": True}}}
    for group in job.get("groups") or []:
        children[group] = member
    host = {"ansible_connection": "tree", "ansible_pipelining": True, "ansible_remote_tmp": "/tmp/.ansible"}
    return {"all": {"hosts": {job["host"]: host}, "children": children}}


def arguments(job, playbook):
    args = ["ansible-playbook", "--limit", job["host"]]
    for source in job.get("inventory") or []:
        args += ["--inventory", os.path.join(PROJECT, source)]
    args += ["--inventory", TEMP + "/strata.json"]
    if job.get("extra"):
        args += ["--extra-vars", json.dumps(job["extra"])]
    if job.get("password"):
        write(TEMP + "/password", job["password"].encode())
        args += ["--vault-password-file", TEMP + "/password"]
    if job.get("tags"):
        args += ["--tags", job["tags"]]
    return args + [playbook]


def watch(log):
    """Notes what of the project Python opens, lists (DIRECTORY/) or asks for, here and in what it forks."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    seen = set()

    def note(path, suffix=""):
        if "SOUNDNESS_ROOT" not in os.environ:
            return  # a module, in the tree
        try:
            path = os.path.normpath(os.path.join(PROJECT, os.fsdecode(path)))
        except TypeError:
            return  # a descriptor
        if path.startswith(PROJECT) and path + suffix not in seen:
            seen.add(path + suffix)
            os.write(fd, os.fsencode((path[len(PROJECT) + 1:] or ".") + suffix) + b"\n")

    def hook(event, args):
        if event == "open":
            note(args[0])
        elif event in ("os.listdir", "os.scandir"):
            note(args[0] or ".", "/")
        elif event in ("subprocess.Popen", "os.system", "os.posix_spawn") and "SOUNDNESS_ROOT" in os.environ:
            os.write(fd, b"//subprocess\n")

    def noting(function):
        def noted(path, *args, **kwargs):
            note(path)
            return function(path, *args, **kwargs)
        return noted

    sys.addaudithook(hook)
    for name in ("stat", "lstat", "access", "readlink"):
        setattr(os, name, noting(getattr(os, name)))


def ready(job):
    """Loads Ansible, which reads its configuration meanwhile."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    env = environment(job)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(PROJECT)
    sys.argv = ["ansible-playbook"]
    import ansible.cli.playbook, ansible.executor.playbook_executor, ansible.plugins.strategy.linear, ansible.template  # noqa
    import ansible.plugins.action.copy, ansible.plugins.action.template, ansible.plugins.callback.default  # noqa
    for name in ("copy", "file", "stat", "command", "lineinfile", "assemble"):
        importlib.import_module("ansible.modules." + name)
    gc.collect()
    gc.freeze()  # so that forks share it


class Loaded:
    """A process that has loaded Ansible with one configuration, and forks a run for each playbook."""

    def __init__(self, job, others):
        inward, outward = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (inward[1], outward[0]):
                os.close(fd)
            for other in others:  # it ends when nobody has its input open
                other.to.close()
            sys.stdin = open(os.devnull)
            ready(job)
            for line in os.fdopen(inward[0]):
                job, playbook = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    play(job, playbook)
                os.write(outward[1], b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os._exit(0)
        for fd in (inward[0], outward[1]):
            os.close(fd)
        self.to, self.answers = os.fdopen(inward[1], "w"), os.fdopen(outward[0])

    def play(self, job, playbook):
        try:
            self.to.write(json.dumps([job, playbook]) + "\n")
            self.to.flush()
        except BrokenPipeError:
            pass
        answer = self.answers.readline()
        return int(answer) if answer else 251  # it did not take its configuration

    def end(self):
        try:
            self.to.close()
        except BrokenPipeError:
            pass
        self.answers.close()
        os.waitpid(self.pid, 0)


def play(job, playbook):
    """Is ansible-playbook from here on."""
    out = os.open(TEMP + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdin = open(0)
    sys.stdout = open(1, "w", buffering=1, closefd=False)
    sys.stderr = open(2, "w", buffering=1, closefd=False)
    sys.argv = arguments(job, playbook)
    watch(TEMP + "/opened")
    from ansible.cli.playbook import PlaybookCLI
    from ansible import constants
    own = not os.environ["SOUNDNESS_PLAIN"]
    packed = os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")
    if own and os.path.isdir(packed):
        shutil.rmtree(packed)
    os.makedirs(packed, exist_ok=True)
    for name in [] if own else set(os.listdir(WARM)) - set(os.listdir(packed)):
        os.link(os.path.join(WARM, name), os.path.join(packed, name))
    try:
        PlaybookCLI.cli_executor(sys.argv)
        status = 0
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else 1
    except BaseException:
        import traceback
        traceback.print_exc()
        status = 250
    sys.stdout.flush()
    for name in [] if own else set(os.listdir(packed)) - set(os.listdir(WARM)):
        os.link(os.path.join(packed, name), os.path.join(WARM, name))  # modules as they are sent
    os._exit(status)


def run(job, loaded):
    clear(TEMP)
    os.makedirs(TEMP + "/home")
    fresh_root()
    fresh_project(job["files"])
    write(TEMP + "/strata.json", json.dumps(inventory(job)).encode())
    config = os.path.join(PROJECT, job.get("config") or "ansible.cfg")
    key = plain(job) + (open(config).read() if os.path.exists(config) else "")
    if key not in loaded:
        if len(loaded) > 3:
            loaded.pop(next(iter(loaded))).end()
        loaded[key] = Loaded({k: v for k, v in job.items() if k != "extra"}, loaded.values())
    status = 0
    for playbook in job["playbooks"]:
        status = loaded[key].play({k: v for k, v in job.items() if k != "files"}, playbook)
        if status:
            break
    if status == 251:
        loaded.pop(key).end()
    log = open(TEMP + "/log", errors="replace").read() if os.path.exists(TEMP + "/log") else ""
    opened = sorted(set(open(TEMP + "/opened", errors="surrogateescape").read().splitlines())) if os.path.exists(TEMP + "/opened") else []
    return {"id": job["id"], "status": status, "tree": survey(), "opened": opened, "log": log[-6000:]}


def preload():
    """Loads what no configuration changes."""
    import jinja2, yaml, cryptography.hazmat.primitives.ciphers, multiprocessing, queue, runpy, zipfile, tempfile, logging, uuid, shlex, random  # noqa
    import jinja2.nativetypes, packaging.version, resolvelib, getpass, pwd, grp, platform, cryptography.hazmat.primitives.kdf.pbkdf2  # noqa
    import ansible.module_utils.basic, ansible.module_utils.common.dict_transformations, ansible.module_utils.urls, ansible.release  # noqa


def main():
    prepare()
    preload()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loaded = {}
    for line in sys.stdin:
        answer = run(json.loads(line), loaded)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
