# Tracks are plain Parquet: install.packages(c("arrow", "dplyr")), then
#   Rscript examples/read_tracks.R OUT/<pseudonym>/tracks.parquet
# How often is each keypoint of the infant seen, and how sure was the network then?

library(arrow)
library(dplyr)

arguments <- commandArgs(trailingOnly = TRUE)
path <- if (length(arguments)) arguments[1] else "examples/infant/tracks.parquet"

tracks <- read_parquet(path)
tracks |>
  filter(individual == "infant") |>
  group_by(keypoint) |>
  summarise(seen = mean(!is.na(x)), median = median(confidence, na.rm = TRUE)) |>
  print(n = Inf)

# Skeleton, frame rate, size, unit and model stand in the footer, as JSON under the key "vid2kp":
footer <- ParquetFileReader$create(path)$GetSchema()$metadata$vid2kp
