"""Who agreed: tickets, votes, and the gate every change passes."""
