import { defineConfig } from "vitest/config";

// What takes long or installs packages: `npm run test:full`.
export default defineConfig({
  test: {
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: "build/vitest-full.json" }]] : ["default"],
    include: ["test/full/**/*.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    fileParallelism: false,
  },
});
