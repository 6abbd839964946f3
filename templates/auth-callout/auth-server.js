// Stands for the authentication service while the filter is tried out: takes the token "secret".

import { createServer } from "node:http";

const server = createServer((request, response) => {
  response.statusCode = request.headers.authorization === "Bearer secret" ? 200 : 401;
  response.end();
});
server.listen(4000, "127.0.0.1", () => console.log("http://localhost:4000 takes the token: secret"));
