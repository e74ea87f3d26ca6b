#!/bin/sh
. "$(dirname "$0")/../paths.sh"
check
