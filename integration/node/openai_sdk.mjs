// Calls a gateway with OpenAI's SDK and prints what came back.
import { createRequire } from "node:module";

const [modules, baseURL] = process.argv.slice(2); // the modules lie in the tests' cache
const { OpenAI } = createRequire(modules + "/")("openai");
const client = new OpenAI({ baseURL, apiKey: "sk-theirs", maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const got = {};

const { data, response } = await client.chat.completions.create({ model: "mock-1", messages }).withResponse();
got.plain = data.choices[0].message.content;
got.id = response.headers.get("millrace-inference-id");

got.streamed = [];
for await (const piece of await client.chat.completions.create({ model: "mock-1", messages, stream: true })) {
  if (piece.choices[0]?.delta?.content) got.streamed.push(piece.choices[0].delta.content);
}

const tool = { type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } };
const called = await client.chat.completions.create({ model: "mock-1", messages: [{ role: "user", content: "use a tool" }], tools: [tool] });
const call = called.choices[0].message.tool_calls[0];
got.tool = [call.function.name, JSON.parse(call.function.arguments)];

got.models = (await client.models.list()).data.map((m) => m.id);
try {
  await client.chat.completions.create({ model: "unknown", messages });
} catch (e) {
  got.unknown = e.code;
}
try {
  for await (const _ of await client.chat.completions.create({ model: "mock-1", messages: [{ role: "user", content: "break" }], stream: true }));
} catch (e) {
  got.broken = e.code;
}
console.log(JSON.stringify(got));
