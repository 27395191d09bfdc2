#!/bin/sh -e
# Removes what dpkg-lean.cfg excludes.
find /usr/share/man /usr/share/info /usr/share/locale -mindepth 1 -delete
find /usr/share/doc -mindepth 1 ! -type d ! -name copyright -delete
find /usr/share/doc -mindepth 1 -type d -empty -delete
