"""A service for tests: answers its health check with what the file `code` beside it says.

    service.py FOLDER PORT [ANSWERS]

Writes its process id to FOLDER/pid when it listens. With ANSWERS it ends after so many requests.
"""

import http.server
import os
import pathlib
import sys

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int((folder / "code").read_text()))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
    (folder / "pid").write_text(str(os.getpid()))
    print("listening", flush=True)
    if len(sys.argv) > 3:
        for _ in range(int(sys.argv[3])):
            server.handle_request()
    else:
        server.serve_forever()
