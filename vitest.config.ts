import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*.test.ts"],
    setupFiles: ["src/vitest.ts"],
    globalSetup: ["test/support/cleanup.ts"],
    // vitest leaves one core idle; tests wait for compilers and Envoy often enough.
    maxWorkers: "100%",
    // Compilers are slow until they are warm.
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: "build/vitest.json" }]] : ["default"],
  },
});
