import { countPairs } from "../pairs";
describe("countPairs", () => {
  test("is 0 for every form of an empty map", () => {
    expect(countPairs(0, 0)).toBe(0);
  });
});
