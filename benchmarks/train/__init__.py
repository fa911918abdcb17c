"""The networks on a CPU and on a GPU, and out of fold beside the measures."""
