"""The way of planning that the LANL paper lists: which layers changed files rebuild.

Files are mapped to layers by their path: a role's to the layers whose playbooks
name it, a group's variables to the layers in the group. All that stands on such
a layer is rebuilt with it. Written for bench with the two libraries that the
paper names; usage: layers.py BASE HEAD, in the project's directory.
"""

import subprocess
import sys

import networkx as nx
import yaml


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def build_graph(config):
    """Nodes with their playbooks and groups, an edge from each parent."""
    graph = nx.DiGraph()
    for name, layer in config["layers"].items():
        ansible = layer.get("ansible", {})
        variants = layer.get("variants") or {"": {}}
        for variant, own in variants.items():
            node = f"{name}-{variant}" if variant else name
            graph.add_node(
                node,
                playbooks=ansible.get("playbooks", []),
                groups=set(ansible.get("groups", [])) | set(own.get("groups", [])),
            )
            parent = own.get("parent", layer.get("parent"))
            if parent:
                graph.add_edge(parent, node)
    return graph


def ancestors_of_groups(inventory):
    """For each group the groups that it is part of."""
    above = nx.DiGraph()

    def walk(name, group):
        above.add_node(name)
        for child, content in ((group or {}).get("children") or {}).items():
            above.add_edge(name, child)
            walk(child, content)

    for name, group in inventory.items():
        walk(name, group)
    return {name: nx.ancestors(above, name) for name in above}


def roles_of(playbook):
    """The roles of a playbook, and those that they depend on."""
    found, todo = set(), []
    for play in load(playbook):
        for role in play.get("roles", []):
            todo.append(role["role"] if isinstance(role, dict) else role)
    while todo:
        role = todo.pop()
        if role in found:
            continue
        found.add(role)
        for other in load(f"roles/{role}/meta/main.yml").get("dependencies") or []:
            todo.append(other["role"] if isinstance(other, dict) else other)
    return found


def changed_files(base, head):
    out = subprocess.run(["git", "diff", "--name-only", base, head], check=True, capture_output=True, text=True)
    return out.stdout.splitlines()


def main():
    base, head = sys.argv[1:3]
    graph = build_graph(load("strata.yaml"))
    above = ancestors_of_groups(load("inventory/hosts.yml"))
    changed = changed_files(base, head)
    playbooks = {p for _, p in graph.nodes(data="playbooks") for p in p}
    roles = {p: roles_of(p) for p in playbooks}
    rebuild = set()
    for node, data in graph.nodes(data=True):
        used = set().union(*(roles[p] for p in data["playbooks"]), set())
        groups = {"all"} | data["groups"]
        for group in data["groups"]:
            groups |= above.get(group, set())
        for path in changed:
            parts = path.split("/")
            hit = (
                path in ("strata.yaml", "ansible.cfg", "inventory/hosts.yml")
                or path in data["playbooks"]
                or parts[0] == "vars"
                or parts[0] == "roles" and parts[1] in used
                or parts[:2] == ["inventory", "group_vars"] and parts[2] in groups
            )
            if hit:
                rebuild.add(node)
                break
    for node in list(rebuild):
        rebuild |= nx.descendants(graph, node)
    for node in nx.topological_sort(graph):
        if node in rebuild:
            print(node)


if __name__ == "__main__":
    main()
