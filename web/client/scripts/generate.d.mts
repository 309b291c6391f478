/** The generated types, as the text of a TypeScript file. */
export declare function generate(): string;
