// Names with values, in order: the parameters of a query, cookies, the parameters of a content type.

/** A name and its value. */
export class Parameter {
  constructor(
    /** The name. */
    readonly name: string,
    /** The value, `""` when there is none. */
    readonly value: string,
  ) {}
}

/** An ordered list of names with values; a name may stand several times. Names are compared letter for letter. */
export class Parameters {
  private readonly list: Parameter[] = [];

  /** How many there are; a name that stands twice counts twice. */
  get size(): i32 {
    return this.list.length;
  }

  /** The first value of this name; `null` when there is none, `""` when it is empty. */
  get(name: string): string | null {
    for (let i = 0; i < this.list.length; i++) {
      const parameter = unchecked(this.list[i]);
      if (parameter.name == name) return parameter.value;
    }
    return null;
  }

  /** Every value of this name, in order; none when there is none. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let i = 0; i < this.list.length; i++) {
      const parameter = unchecked(this.list[i]);
      if (parameter.name == name) values.push(parameter.value);
    }
    return values;
  }

  /** Whether there is a value of this name, if only an empty one. */
  has(name: string): bool {
    return this.get(name) !== null;
  }

  /** Every name and value, in order. */
  entries(): Parameter[] {
    return this.list.slice();
  }

  /** Adds one at the end. @internal */
  add(name: string, value: string): void {
    this.list.push(new Parameter(name, value));
  }
}
