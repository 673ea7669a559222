"""Calls a gateway with OpenAI's SDK and with LangChain, and prints what came back."""

import json
import sys

import openai
from langchain_openai import ChatOpenAI

base = sys.argv[1]
client = openai.OpenAI(base_url=base, api_key="sk-theirs", max_retries=0)
hello = [{"role": "user", "content": "Hello"}]
got = {}

answer = client.chat.completions.with_raw_response.create(model="mock-1", messages=hello, user="user-1")
got["plain"] = answer.parse().choices[0].message.content
got["id"] = answer.headers["millrace-inference-id"]

pieces = [
    c.choices[0].delta.content
    for c in client.chat.completions.create(model="mock-1", messages=hello, stream=True)
    if c.choices and c.choices[0].delta.content
]
got["streamed"] = pieces

tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
called = client.chat.completions.create(model="mock-1", messages=[{"role": "user", "content": "use a tool"}], tools=[tool])
call = called.choices[0].message.tool_calls[0]
got["tool"] = [call.function.name, json.loads(call.function.arguments)]

got["embedding"] = client.embeddings.create(model="mock-1", input=["a", "b"], encoding_format="float").data[1].embedding
got["completion"] = client.completions.create(model="mock-1", prompt="Once").choices[0].text
got["models"] = [m.id for m in client.models.list()]
try:
    client.chat.completions.create(model="unknown", messages=hello)
except openai.NotFoundError as e:
    got["unknown"] = e.code
try:
    client.chat.completions.create(model="mock-1", messages=[{"role": "user", "content": "fail"}])
except openai.BadRequestError as e:
    got["failed"] = e.code
try:
    for _ in client.chat.completions.create(model="mock-1", messages=[{"role": "user", "content": "break"}], stream=True):
        pass
except openai.APIError as e:
    got["broken"] = e.code

chain = ChatOpenAI(model="mock-1", base_url=base, api_key="sk-theirs", max_retries=0)
got["langchain"] = chain.invoke("Hello").content
got["langchain_streamed"] = "".join(c.content for c in chain.stream("Hello"))
print(json.dumps(got))
