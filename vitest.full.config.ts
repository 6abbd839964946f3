import { defineConfig } from "vitest/config";

// What takes long or installs packages: `npm run test:full`.
export default defineConfig({
  test: { include: ["test/full/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 60_000, fileParallelism: false },
});
