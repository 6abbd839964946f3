import { filters } from "proxy-wasm/vitest/plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({ plugins: [filters()] });
