DROP VIEW reporting_messages;
DROP VIEW reporting_conversations;
