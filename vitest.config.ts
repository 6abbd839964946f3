import { defineConfig } from "vitest/config";

// The examples are tested as their authors would: in their own folder, with the package's own kit.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "package",
          include: ["test/**/*.test.ts"],
          exclude: ["test/package/**"],
          testTimeout: 30_000,
          globalSetup: ["test/support/cleanup.ts"],
        },
      },
      "examples/*/vitest.config.ts",
    ],
  },
});
