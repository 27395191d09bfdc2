"""Ansible's become in the tree of an image that Strata builds.

The agent starts the command as the user itself. So the tree needs neither su
nor sudo, PAM and sudoers play no part, and the account need not be one that may
log in. It stands in for whatever method the site uses on running machines, and
takes the settings that those methods take.
"""

from __future__ import annotations

DOCUMENTATION = """
name: strata
short_description: become a user of an image that Strata builds
description: Lets the agent of a Strata sandbox run a task as another user.
options:
  become_user:
    description: User to become.
    default: root
    ini:
      - {section: privilege_escalation, key: become_user}
      - {section: sudo_become_plugin, key: user}
      - {section: su_become_plugin, key: user}
    vars:
      - name: ansible_become_user
      - name: ansible_sudo_user
      - name: ansible_su_user
    keyword:
      - name: become_user
  become_flags:
    description: Of those of su and sudo, the ones that ask for a login shell count. What others ask for is so in any case, or has no meaning in an image.
    default: ''
    ini:
      - {section: privilege_escalation, key: become_flags}
      - {section: sudo_become_plugin, key: flags}
      - {section: su_become_plugin, key: flags}
    vars:
      - name: ansible_become_flags
      - name: ansible_sudo_flags
      - name: ansible_su_flags
    keyword:
      - name: become_flags
  become_exe:
    description: Not used.
    vars:
      - name: ansible_become_exe
    keyword:
      - name: become_exe
  become_pass:
    description: Not used.
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
"""

import re
import shlex

from ansible.errors import AnsibleError
from ansible.plugins.become import BecomeBase

# Flags that ask for a login shell: su - USER, su -l, sudo -i, sudo -Hi.
LOGIN = re.compile(r"-|--login|-[A-Za-z]*[il][A-Za-z]*")


class BecomeModule(BecomeBase):
    name = "strata"

    def build_become_command(self, cmd, shell):
        """Marks a command; the connection knows the mark, takes it away and tells the agent.

        Any other connection stumbles over it, and does not run the command as the wrong user.
        """
        super(BecomeModule, self).build_become_command(cmd, shell)
        if not cmd:
            return cmd
        return self.mark() + self._build_success_command(cmd, shell)

    def mark(self):
        return "strata-become-%s && " % self._id

    def user(self):
        return str(self.get_option("become_user") or "root")

    def login(self):
        try:
            flags = shlex.split(self.get_option("become_flags") or "")
        except ValueError as e:
            raise AnsibleError("become_flags cannot be understood: %s" % e)
        return any(LOGIN.fullmatch(f) for f in flags)
