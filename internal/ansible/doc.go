// Package ansible reads an Ansible project as data and says what of it decides
// what playbooks do to one node: which files and which variables they reach.
//
// It runs no Ansible, evaluates no template and needs no machine. What cannot be
// followed widens to everything that it could reach, and says why: the answer
// may hold too much, never too little.
//
// The answer is found by following: a play that matches the node reaches its
// roles and tasks, these reach files and read variables, and the values of
// variables that are read may be templates that read further ones. Names of
// files that are computed are tried with what the variables in them can be.
package ansible
