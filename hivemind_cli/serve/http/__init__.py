"""HTTP, as every door here that speaks it needs it: who may listen where, who is let in, how much they may send.

guard.py     ASGI, before any app: Host and Origin, token, size and time of a body, problem+json, one log line
parsing.py   JSON from strangers: depth, numbers and text that no table could hold
problems.py  what went wrong, as a status and RFC 9457 problem+json
listening.py addresses, TLS, and uvicorn
patient.py   what a connection may take its time for
"""
