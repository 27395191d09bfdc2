// Package jinja reads Jinja as Ansible uses it, and says what a text can read:
// which variables, lookups, other hosts' variables, groups and files.
//
// It renders nothing, knows no variable's value, and opens no file. That a
// variable's value may be a template again is its caller's business.
//
// The answer is a superset: whatever jinja2.meta.find_undeclared_variables
// reports is in Names or Globals, and text that cannot be parsed counts with
// every word that could be a name. Scopes are those of Jinja's own compiler
// (jinja2/idtracking.py), because what it binds is not read from outside.
package jinja
