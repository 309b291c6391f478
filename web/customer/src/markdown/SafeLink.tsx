// A link out of a message: only to an allowed address, and never without saying where it leads.

import type { ReactNode } from "react";
import { useTexts } from "../i18n/texts.ts";
import { readAddress, saysWhereItLeads } from "./address.ts";
import { showDirectionControls } from "./bidi.ts";

interface SafeLinkProps {
  address: string;
  /** What the link says, without its formatting. */
  text: string;
  /** It stands for a picture, which is never loaded. */
  picture?: boolean;
  children?: ReactNode;
}

/** The link, or its text alone if its address is not an allowed one. */
export function SafeLink({ address: raw, text, picture = false, children }: SafeLinkProps): ReactNode {
  const texts = useTexts();
  const address = readAddress(raw);
  const label = picture ? `${texts.picture}${text === "" ? "" : `: ${showDirectionControls(text)}`}` : children;
  if (address === null) return <bdi>{label}</bdi>;
  return (
    <>
      <a href={address.href} target="_blank" rel="noopener noreferrer nofollow">
        <bdi>{label}</bdi>
      </a>
      {(picture || !saysWhereItLeads(text, address)) && (
        <span className="leads-to">
          {" ("}
          <bdi dir="ltr">{showDirectionControls(address.shown)}</bdi>)
        </span>
      )}
    </>
  );
}
