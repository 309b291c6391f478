// The page of its own, at `/`.

import { createChat } from "@onya/client";
import { pageLanguage } from "./i18n/pageLanguage.ts";
import { mount } from "./shell/mount.tsx";

const language = await pageLanguage();
document.title = language.texts.title;
const chat = createChat({ language: language.tag });
chat.start();
mount({ chat, language });
