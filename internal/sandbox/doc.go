// Package sandbox is the one door to the machine: it starts processes and
// mounts file systems. Host runs a program of this machine; a Sandbox is a
// node's tree, mounted in namespaces of its own, with an agent as its init that
// runs commands in it.
//
// Nothing it mounts is visible outside, and everything it starts dies with it
// and with this process: when a build is killed, the kernel cleans up. It knows
// nothing of layers, steps or stores; it is told directories.
//
// A program that uses it calls Init first thing in main: the agent and the
// other helpers are this very program, started again under other names.
package sandbox
