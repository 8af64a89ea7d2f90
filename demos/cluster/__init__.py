"""`--workers N`, `--scheduler ADDRESS`: networks trained in chunks by the workers of Dask.

A chunk is some of the networks of a row, trained as one ensemble. As network i of an ensemble has
the same bits whatever other networks are there, the numbers are those of one process; what they
depend on besides, such as the version of BLAS, must be alike on all workers. A chunk that is
finished is written at once, so that a worker, scheduler or client that dies loses at most the
chunks under way: `--resume` takes the others from the run's folder.

    chunks      cuts a row into chunks, and joins their numbers
    alike       what workers must have in common, and a task: train a chunk, if they have
    training    hands chunks to workers and takes their numbers
    devices     which GPU each worker has
    starting    starts workers or finds them, checks them, and ends them
"""
