import { expect, test } from "bun:test";
import { arrivalIn } from "./delivery.ts";

const WAITS = ["POST /ask\n{}\nGET /wait?ticket=t1", "POST /ask\n{}\nGET /wait?ticket=t2"] as const;
const NUMBERED = ['{"id":"t1","heat":7}', '{"id":"t2","heat":7}'] as const;
const RANDOM = ['POST /ask\n{"nonce":"abc"}', 'POST /ask\n{"nonce":"xyz"}'] as const;

test("where equal requests look equal, any difference is the field", () => {
  expect(arrivalIn("{}", ["{}", "{}"])).toBe("dropped");
  expect(arrivalIn('{"seed":42}', ["{}", "{}"])).toBe("arrived");
});

test("a ticket that is another one each time is no sign of the field", () => {
  expect(arrivalIn("POST /ask\n{}\nGET /wait?ticket=t3", WAITS)).toBe("dropped");
  expect(arrivalIn('POST /ask\n{"seed":42}\nGET /wait?ticket=t3', WAITS)).toBe("arrived");
});

test("a field is seen in a line that numbers itself, too", () => {
  expect(arrivalIn('{"id":"t3","heat":7}', NUMBERED)).toBe("dropped");
  expect(arrivalIn('{"id":"t3","heat":7,"seed":42}', NUMBERED)).toBe("arrived");
});

test("a request that is made only now and then is no sign of the field", () => {
  const waits = [
    "POST /ask\nGET /wait?ticket=t1",
    "POST /ask\nGET /wait?ticket=t2\nGET /wait?ticket=t2&after=1",
  ];
  expect(arrivalIn("POST /ask\nGET /wait?ticket=t3&after=2", [waits[0] ?? "", waits[1] ?? ""])).toBe(
    "dropped",
  );
});

test("where everything that could show the field differs each time, it can't be told", () => {
  expect(arrivalIn('POST /ask\n{"nonce":"klm"}', RANDOM)).toBe("unclear");
  expect(arrivalIn('POST /ask\n{"nonce":"klm","seed":42}', RANDOM)).toBe("unclear");
});
