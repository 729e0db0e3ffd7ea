#!/bin/sh
# The command of 2014: score_model.sh job.properties scores the job's model on all of its rows.
exec "$(dirname "$(readlink -f "$0")")/superstep" score "$@"
