#!/usr/bin/env bash
# A folder of videos as a Slurm job array. All jobs write into one OUT on a shared disk, each its
# own part of the videos; a job that dies or runs out of time is simply submitted again.
#
#   sbatch examples/slurm_array.sh /data/videos /data/results
#
# To submit some of 16 parts again: sbatch --array=3,7 examples/slurm_array.sh VIDEOS OUT 16
#
#SBATCH --job-name=vid2kp
#SBATCH --array=1-16
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=24G
#SBATCH --time=12:00:00
# Two minutes before the end vid2kp is told to stop; what it has finished is complete.
#SBATCH --signal=TERM@120
#SBATCH --output=vid2kp-%A_%a.log

set -euo pipefail
videos=$1
out=$2
parts=${3:-$SLURM_ARRAY_TASK_MAX}

# The log holds pseudonyms only. Other numbers of jobs are safe at any time: finished videos are
# skipped, and no video is done by two jobs at once. The disk must know files that only one machine
# can create (O_EXCL) and locks (flock): NFS from version 4 on, Lustre mounted with flock, BeeGFS
# with locks switched on.
#
# Exit code 0: all have results. 1: every video was tried and some failed; 3: all of them failed.
# Submitting again tries the failed ones once more. 2: wrong usage, nothing was done. 4: the disk is
# full, the rest was not begun. 130: out of time;
# submit it again.
#
# srun does not take over --cpus-per-task since Slurm 22.05: without it the step has one core.
exec srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  vid2kp convert "$videos" -o "$out" --shard "$SLURM_ARRAY_TASK_ID/$parts" --jobs 1
