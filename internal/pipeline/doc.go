// Package pipeline turns a plan into the jobs of a CI pipeline, and writes them
// as a child pipeline of GitLab, a workflow of GitHub Actions (which Forgejo and
// Gitea run as well) or a Makefile. Of makes the jobs; GitLab, GitHub and Make
// only write them down, so that all three do the same.
//
// It decides nothing about nodes, starts no job and talks to no CI system: a
// plan goes in, text comes out, the same for the same plan. Every job runs
// strata, and what a job builds reaches the next one through the registry.
package pipeline
