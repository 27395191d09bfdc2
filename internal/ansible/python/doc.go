// Package python reads the code of Ansible's plugins, so far as to say of an action
// plugin which of its task's arguments name the files that it opens. It runs no code,
// and understands little of it: what it does not know by name may do anything.
package python
