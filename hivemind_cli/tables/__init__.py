"""What agents' memory stands on: tables with branches, search inside SQL, runs and experiences.

sql/            one statement in (any of three ways to say a parameter), safe, for the engine and branch it runs on
layout.py       how a table and its branches lie in the database
catalog.py      which tables and columns a workspace has
writing.py      rows in: checked, converted, inserted, superseded
branches.py     branch, diff, merge, rollback; history.py: what is behind a branch; merging.py: the SQL of it
scoring.py      cosine_similarity, bm25 and hybrid inside a SELECT, answered by sidecars; nearness.py: the plan of it
sidecar.py      the indexes of one table, words and vectors (index/columns.py); fetched.py: rows kept until a write
embedded.py     vectors of texts that SQL wrote
inference.py    types from values; wire.py, handed.py: values and rows as JSON and files, between daemon and doors
workspace.py    the face of all of it: what a door calls
runs.py         durable steps of agent loops
experiences.py  what was tried, and how it went; evaluating.py: who says how
debugging.py    errors, and what helped
reembedding.py  another embedding model
forgetting.py   a pruned session
"""
