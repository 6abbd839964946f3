// A plugin for typedoc: shows AssemblyScript's numbers by their own names. To TypeScript they are all `number`.

import { Converter, IntrinsicType } from "typedoc";

const names = /^([iuf](8|16|32|64)|[iu]size|bool)$/;

/** Called by typedoc. */
export function load({ converter }) {
  const show = (reflection, declaration) => {
    const written = declaration?.type?.getText() ?? "";
    if (names.test(written)) reflection.type = new IntrinsicType(written);
  };
  converter.on(Converter.EVENT_CREATE_SIGNATURE, (_context, signature, declaration) => {
    show(signature, declaration);
    for (const [i, parameter] of (signature.parameters ?? []).entries()) show(parameter, declaration?.parameters?.[i]);
  });
  converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    for (const declaration of context.getSymbolFromReflection(reflection)?.declarations ?? []) {
      if (reflection.type) show(reflection, declaration);
    }
  });
}
