import { defineConfig } from "vitest/config";

// Records anew what a real Envoy does with the scenarios of test/conformance: `npm run conformance:record`.
export default defineConfig({
  test: { include: ["test/conformance/record.test.ts"], testTimeout: 600_000 },
});
