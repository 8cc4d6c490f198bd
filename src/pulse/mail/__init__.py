"""How mail leaves: a port, and behind it a folder of files, SMTP, Amazon SES and SendGrid."""
