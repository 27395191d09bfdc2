"""What jinja2 itself says of texts: the oracle of package jinja's tests.

oracle.py collect DIR ...   every template and every string of YAML files below
oracle.py check             templates from standard input, a JSON string per line
oracle.py render            pairs of templates that come to the same: the pairs that do not
oracle.py collections       where Ansible's collections are

Each answer is a line of JSON: text, kind (template or expression), file, and
undeclared names or an error.
"""
import ast
import json
import os
import sys

import jinja2
from jinja2 import meta

CONDITIONS = {"when", "until", "changed_when", "failed_when", "that"}


class Anything(dict):
    """Filters and tests of every name."""

    def get(self, key, default=None):
        return lambda *args, **kwargs: ""

    def __getitem__(self, key):
        return self.get(key)

    def __contains__(self, key):
        return True


def environment(**options):
    extensions = ["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.i18n"]
    env = jinja2.Environment(extensions=extensions, trim_blocks=True, **options)
    env.filters, env.tests = Anything(), Anything()
    env.globals.clear()
    return env


PLAIN = environment()
HEADER = "#jinja2:"


def undeclared(text, kind):
    env, source = PLAIN, text
    if kind == "expression":
        source = "{{ (" + text + ") }}"
    elif text.startswith(HEADER):
        line, _, source = text[len(HEADER):].partition("\n")
        env = environment()
        for pair in line.split(","):
            key, value = pair.split(":", 1)
            setattr(env, key.strip(), ast.literal_eval(value.strip()))
    return sorted(meta.find_undeclared_variables(env.parse(source)))


def answer(text, kind, name):
    line = {"text": text, "kind": kind, "file": name}
    try:
        line["undeclared"] = undeclared(text, kind)
    except Exception as e:  # whatever it is, there is no answer
        line["error"] = type(e).__name__ + ": " + str(e)
    print(json.dumps(line))


def loader():
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        pass

    def scalar(loader, suffix, node):
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_mapping(node, deep=True)

    Loader.add_multi_constructor("!", scalar)
    return yaml, Loader


def strings(value, key, found):
    if isinstance(value, dict):
        for k, v in value.items():
            strings(k, None, found)
            strings(v, k, found)
    elif isinstance(value, (list, tuple)):
        for v in value:
            strings(v, key, found)
    elif isinstance(value, str):
        delimited = any(d in value for d in ("{{", "{%", "{#"))
        if delimited:
            found.append((value, "template"))
        elif key in CONDITIONS:
            found.append((value, "expression"))


def collect(directories):
    yaml, Loader = loader()
    for top in directories:
        for directory, _, files in sorted(os.walk(top)):
            for name in sorted(files):
                path = os.path.join(directory, name)
                if name.endswith(".j2"):
                    with open(path, encoding="utf-8", errors="replace", newline="") as f:
                        answer(f.read(), "template", path)
                elif name.endswith((".yml", ".yaml")):
                    found = []
                    try:
                        with open(path, encoding="utf-8") as f:
                            for document in yaml.load_all(f, Loader):
                                strings(document, None, found)
                    except Exception:
                        pass  # not YAML; what was read before counts
                    for text, kind in found:
                        answer(text, kind, path)


def rendered(text):
    """What Ansible makes of a template, and what is included of it."""
    env = jinja2.Environment(trim_blocks=True)
    included = env.from_string(text).render(a="v\n", b="", c=" w", t=True, f=False)
    at_end = lambda s: len(s) - len(s.rstrip("\n"))
    return included + "\n" * max(0, at_end(text) - at_end(included)), included


def render():
    for line in sys.stdin:
        whole, alone, within = json.loads(line)
        if rendered(whole)[0] != rendered(alone)[0] or rendered(whole)[1] != rendered(within)[1]:
            print(json.dumps({"text": whole, "file": alone, "error": within}))


def main():
    if sys.argv[1] == "collect":
        collect(sys.argv[2:])
    elif sys.argv[1] == "check":
        for line in sys.stdin:
            answer(json.loads(line), "template", "")
    elif sys.argv[1] == "render":
        render()
    else:
        import ansible_collections

        print(list(ansible_collections.__path__)[0])


main()
