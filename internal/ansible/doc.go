// Package ansible reads an Ansible project as data: which files can decide
// what its playbooks do to a node.
//
// It runs no Ansible, starts no process and touches no machine: a file system
// goes in, values come out. It does not say what a playbook does, nor whether
// it is correct; ansible-playbook does that when a node is built.
//
// The answer is coarse and sound. A reached role counts as a whole, a computed
// name counts as everything that it could name, and code of the project's own
// plugins as everything beside the playbook. Three things are outside of it,
// because they are part of the machine and not of the project: Ansible itself,
// roles and collections that are installed outside of the project's directory,
// and files that a playbook names by an absolute path. The content of a vaulted
// file is opaque: it counts, but is not searched for further names.
package ansible
