"""The way of planning that the LANL paper lists: which layers changed files rebuild.

A change in a role or a playbook rebuilds the layers whose playbooks name it. A
change in an inventory rebuilds the layers, in the groups that the file is for,
of whose roles one mentions a variable that the file sets (Listing 6). All that
stands on such a layer is rebuilt with it. Written for bench with the two
libraries that the paper names; usage: layers.py [--json] BASE HEAD, in the
project's directory, where HEAD is checked out.
"""

import configparser
import json
import os
import re
import subprocess
import sys

import networkx as nx
import yaml


class Loader(yaml.SafeLoader):
    """safe_load that lets tags of Ansible's (!vault, !unsafe) pass."""


def untagged(loader, _, node):
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", untagged)


def parse(text):
    """A YAML document, or None for what is none."""
    try:
        return yaml.load(text, Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def load(path):
    return parse(read(path)) if os.path.isfile(path) else None


def mapping(value):
    return value if isinstance(value, dict) else {}


def mappings(value):
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


# The graph.


def build_graph(config):
    """Nodes with their playbooks and groups, an edge from each parent."""
    graph = nx.DiGraph()
    layers = config["layers"]
    for name, layer in layers.items():
        ansible = layer.get("ansible", {})
        variants = layer.get("variants") or {"": {}}
        for variant, own in variants.items():
            node = f"{name}-{variant}" if variant else name
            graph.add_node(
                node,
                playbooks=ansible.get("playbooks", []),
                roles_path=tuple(p for p in ansible.get("roles_path", []) if isinstance(p, str)),
                config=ansible.get("config", "ansible.cfg"),
                groups=set(ansible.get("groups", [])) | set(own.get("groups", [])),
            )
            parent = own.get("parent", layer.get("parent"))
            if parent and (layers.get(parent) or {}).get("variants"):
                parent = f"{parent}-{variant}"
            if parent:
                graph.add_edge(parent, node)
    return graph


# The inventory.


def inventory_files(config):
    """The inventory's own files, without those of variables."""
    place = config.get("inventory") or ""
    if isinstance(place, dict):
        place = place.get("path", "")
    if not os.path.isdir(place):
        return [place] if place else []
    return [os.path.join(place, name) for name in sorted(os.listdir(place)) if os.path.isfile(os.path.join(place, name))]


def read_inventory(text):
    """Pairs of a group and one in it, and the names of the variables that it sets."""
    pairs, variables = set(), set()

    def walk(name, group):
        group = mapping(group)
        variables.update(mapping(group.get("vars")))
        for host in mapping(group.get("hosts")).values():
            variables.update(mapping(host))
        for child, content in mapping(group.get("children")).items():
            pairs.add((name, child))
            walk(child, content)

    tree = parse(text)
    if isinstance(tree, dict):
        for name, group in tree.items():
            walk(name, group)
        return pairs, variables
    section, kind = "", ""
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section, _, kind = line.strip("[]").partition(":")
        elif kind == "children":
            pairs.add((section, line.split()[0]))
        elif kind == "vars":
            variables.add(line.split("=")[0].strip())
        else:
            variables.update(re.findall(r"\s(\w+)=", line))
    return pairs, variables


def ancestors_of_groups(files):
    """For each group the groups that it is part of."""
    above = nx.DiGraph()
    for file in files:
        if os.path.isfile(file):
            above.add_edges_from(read_inventory(read(file))[0])
    return {name: nx.ancestors(above, name) for name in above}


def variables_in(text):
    """The names that a file of variables sets."""
    tree = parse(text)
    return {name for name in tree if isinstance(name, str)} if isinstance(tree, dict) else set()


# Playbooks and roles.

INCLUDED_ROLES = re.compile(r"(ansible\.(builtin|legacy)\.)?(include|import)_role")
INCLUDED_TASKS = re.compile(r"(ansible\.(builtin|legacy)\.)?(include|include_tasks|import_tasks)")
IMPORTED_PLAYBOOK = re.compile(r"(ansible\.(builtin|legacy)\.)?import_playbook")


class Playbooks:
    """What playbooks name: the files of theirs and the directories of their roles."""

    def __init__(self):
        self.known = {}
        self.paths = {}

    def roles_path(self, config, layer):
        if layer:
            return layer
        if config not in self.paths:
            found = ""
            if os.path.isfile(config):
                parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
                try:
                    parser.read_string(read(config))
                    found = parser.get("defaults", "roles_path", fallback="") or ""
                except configparser.Error:
                    pass
            here = os.path.dirname(config)
            self.paths[config] = tuple(os.path.normpath(os.path.join(here, p)) for p in found.split(":") if p and p[0] not in "~$")
        return self.paths[config]

    def of(self, playbook, roles_path):
        """The files that a playbook consists of, and its roles' directories."""
        key = playbook, roles_path
        if key not in self.known:
            files, roles = set(), set()
            self.playbook(playbook, roles_path, files, roles)
            self.known[key] = files, roles
        return self.known[key]

    def playbook(self, path, roles_path, files, roles):
        path = os.path.normpath(path)
        if path in files:
            return
        files.add(path)
        here = os.path.dirname(path)
        for play in mappings(load(path)):
            for key, value in play.items():
                if isinstance(key, str) and IMPORTED_PLAYBOOK.fullmatch(key) and isinstance(value, str):
                    self.playbook(os.path.join(here, value.split()[0]), roles_path, files, roles)
            files.update(os.path.normpath(os.path.join(here, name)) for name in listed(play.get("vars_files")) if isinstance(name, str))
            for role in listed(play.get("roles")):
                self.role(role.get("role", role.get("name")) if isinstance(role, dict) else role, here, roles_path, roles)
            for section in ("pre_tasks", "tasks", "post_tasks", "handlers"):
                self.tasks(play.get(section), here, roles_path, files, roles)

    def tasks(self, tasks, here, roles_path, files, roles):
        for task in mappings(tasks):
            for key, value in task.items():
                if key in ("block", "rescue", "always"):
                    self.tasks(value, here, roles_path, files, roles)
                elif not isinstance(key, str):
                    continue
                elif INCLUDED_ROLES.fullmatch(key):
                    self.role(value.get("name") if isinstance(value, dict) else None, here, roles_path, roles)
                elif INCLUDED_TASKS.fullmatch(key):
                    name = value.get("file") if isinstance(value, dict) else value
                    name = os.path.normpath(os.path.join(here, name.split()[0])) if isinstance(name, str) and name.strip() else ""
                    if name and name not in files:
                        files.add(name)
                        self.tasks(load(name), here, roles_path, files, roles)

    def role(self, name, here, roles_path, roles):
        """Adds a role, and those that it depends on."""
        if not isinstance(name, str):
            return
        place = self.place(name, here, roles_path)
        if place is None or place in roles:
            return
        roles.add(place)
        meta = load(os.path.join(place, "meta", "main.yml"))
        for other in listed(meta.get("dependencies") if isinstance(meta, dict) else None):
            self.role(other.get("role", other.get("name")) if isinstance(other, dict) else other, here, roles_path, roles)

    @staticmethod
    def place(name, here, roles_path):
        """The directory of a role, None if the project has none."""
        places = [os.path.join(d, name) for d in (os.path.join(here, "roles"), *roles_path, "roles", here)]
        if name.count(".") == 2:
            namespace, collection, role = name.split(".")
            places.append(os.path.join("collections", "ansible_collections", namespace, collection, "roles", role))
        for place in places:
            place = os.path.normpath(place)
            if os.path.isdir(place) and not place.startswith(".."):
                return place
        return None


WORD = re.compile(r"\w+")


class Words:
    """The words that the files of a role mention, each role read once."""

    def __init__(self):
        self.known = {}

    def of(self, role):
        if role not in self.known:
            words = set()
            for directory, _, names in os.walk(role):
                for name in names:
                    path = os.path.join(directory, name)
                    if os.path.isfile(path):
                        words.update(WORD.findall(read(path)))
            self.known[role] = words
        return self.known[role]


# The commit.


def changed_files(base, head):
    out = subprocess.run(["git", "diff", "--name-only", "--no-renames", "-z", base, head], check=True, capture_output=True)
    return [name for name in out.stdout.decode("utf-8", "replace").split("\0") if name]


def texts(path, base):
    """What a changed file says now, and what it said; nothing where there is none."""
    was = subprocess.run(["git", "show", f"{base}:{path}"], check=False, capture_output=True)
    return [read(path) if os.path.isfile(path) else "", was.stdout.decode("utf-8", "replace")]


ABOUT = re.compile(
    r"(?i)(^|/)(docs?|documentation|releasenotes|specs|\.github|\.circleci|\.azure|\.devcontainer|zuul\.d|\.ci|molecule|tests?)/"
    r"|\.(md|rst|adoc)$"
    r"|(^|/)(readme|license|copying|changelog|authors|contributors|codeowners)(\.[a-z]+)?$"
    r"|(^|/)\.(git[a-z-]+|all-contributorsrc|ansible-lint|yamllint|editorconfig|pre-commit-config\.yaml|readthedocs\.yaml|travis\.yml|gitlab-ci\.yml|zuul\.yaml)$"
    r"|(^|/)tox\.ini$"
)


def decides_nothing(path, base, reached):
    """Whether a changed file is documentation, of the CI, or a playbook that no layer has to do with."""
    if path in reached or "/roles/" in "/" + path and not path.lower().endswith((".md", ".rst")):
        return False
    if ABOUT.search(path):
        return True
    if not path.endswith((".yml", ".yaml")):
        return False
    plays = [play for text in texts(path, base) for play in mappings(parse(text))]
    return bool(plays) and all(any(key == "hosts" or isinstance(key, str) and IMPORTED_PLAYBOOK.fullmatch(key) for key in play) for play in plays)


class Layers:
    """Maps changed files to nodes."""

    def __init__(self, config, base):
        self.graph, self.base = build_graph(config), base
        self.inventory = inventory_files(config)
        self.above = ancestors_of_groups(self.inventory)
        self.words = Words()
        playbooks = Playbooks()
        self.files, self.roles, self.groups, self.sets = {}, {}, {}, {}
        for node, data in self.graph.nodes(data=True):
            self.files[node], self.roles[node] = {"strata.yaml", data["config"]}, set()
            for playbook in data["playbooks"]:
                files, roles = playbooks.of(playbook, playbooks.roles_path(data["config"], data["roles_path"]))
                self.files[node] |= files
                self.roles[node] |= roles
            self.groups[node] = {"all"} | data["groups"]
            for group in data["groups"]:
                self.groups[node] |= self.above.get(group, set())

    def variables(self, path):
        if path not in self.sets:
            names = set()
            for text in texts(path, self.base):
                names |= read_inventory(text)[1] if path in self.inventory else variables_in(text)
            self.sets[path] = names
        return self.sets[path]

    def hits(self, node, path):
        """Whether a changed file rebuilds a node by itself."""
        if path in self.files[node] or any(path == role or path.startswith(role + "/") for role in self.roles[node]):
            return True  # the role itself is a submodule's commit
        parts = path.split("/")
        if path not in self.inventory:
            if "group_vars" not in parts[:-1]:
                return False
            group = os.path.splitext(parts[parts.index("group_vars") + 1])[0]
            if group not in self.groups[node]:
                return False
        return any(not self.variables(path).isdisjoint(self.words.of(role)) for role in self.roles[node])

    def rebuilt(self, changed):
        found = {node for node in self.graph if any(self.hits(node, path) for path in changed)}
        for node in list(found):
            found |= nx.descendants(self.graph, node)
        return [node for node in nx.topological_sort(self.graph) if node in found]


def main():
    wants = sys.argv[1] == "--json"
    base, head = sys.argv[1 + wants : 3 + wants]
    layers = Layers(load("strata.yaml"), base)
    changed = changed_files(base, head)
    nodes = layers.rebuilt(changed)
    if not wants:
        print("".join(node + "\n" for node in nodes), end="")
        return
    reached = set().union(*layers.files.values())
    beside = [path for path in changed if decides_nothing(path, base, reached)]
    print(json.dumps({"nodes": nodes, "changed": changed, "beside": beside}))


if __name__ == "__main__":
    main()
