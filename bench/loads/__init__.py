"""What is sent to an agent, made beforehand in a process of its own, and sent when it is told to.

`python -m bench.loads NAME OPTIONS`, with the options as JSON: says `ready` when all is made, waits
for a line, sends, and says as JSON what it has sent. Each module has `make(options) -> send`, where
`send() -> dict` has at least what was `sent`.
"""
