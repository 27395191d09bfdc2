"""Says what Python's and Ansible's readers make of texts.

Reads {"literals": [...], "documents": [...]} as JSON from standard input. An
answer is the value with its kind, or null where the text is refused.
"""
import ast
import datetime
import json
import os
import sys
import warnings

for name in [n for n in os.environ if n.startswith("ANSIBLE_")]:
    del os.environ[name]
from ansible.module_utils._text import to_text
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display

warnings.simplefilter("ignore")
Display.warning = lambda self, *args, **named: None


def encode(v):
    if v is None:
        return "n:"
    if isinstance(v, bool):
        return "b:true" if v else "b:false"
    if isinstance(v, int):
        return "i:%d" % v
    if isinstance(v, float):
        return "f:" + repr(v)
    if isinstance(v, str):
        return "s:" + v
    if isinstance(v, (datetime.date, datetime.datetime)):
        return "t:"
    if isinstance(v, (list, tuple)):
        return [encode(x) for x in v]
    if isinstance(v, dict):
        return {"": [[encode(k), encode(x)] for k, x in v.items()]}
    return "x:"


def literal(text):
    try:
        v = to_text(ast.literal_eval(text), nonstring="passthru", errors="surrogate_or_strict")
        json.dumps(encode(v)).encode()
        return encode(v)
    except (ValueError, SyntaxError):
        return None
    except Exception:
        return None


def document(text):
    try:
        return encode(DataLoader().load(text))
    except Exception:
        return None


asked = json.load(sys.stdin)
json.dump({"literals": [literal(t) for t in asked["literals"]], "documents": [document(t) for t in asked["documents"]]}, sys.stdout)
