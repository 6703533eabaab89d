namespace Weir.Simulation.Exhaustive;

/// <summary>What may happen next in a search.</summary>
internal enum ChoiceKind : byte
{
    /// <summary>The oldest message from one node to another comes.</summary>
    Deliver,

    /// <summary>The oldest message comes, and what answers it at once comes back.</summary>
    Exchange,

    /// <summary>A request that its sender gave up comes nevertheless.</summary>
    DeliverLate,

    /// <summary>Two nodes flush and hear each other until neither has anything more to say: many steps as one.</summary>
    Settle,

    /// <summary>A node writes and syncs what it has appended.</summary>
    Flush,

    /// <summary>A leader appends a record.</summary>
    Publish,

    /// <summary>A node does what is due without time to pass for an election.</summary>
    Poll,

    /// <summary>A member of the quorum has waited long enough for its leader.</summary>
    Timeout,

    /// <summary>A broker hears of the newest metadata.</summary>
    Learn,

    /// <summary>The controller counts on a broker again.</summary>
    Unfence,

    /// <summary>The controller gives the leadership to the preferred replica.</summary>
    Elect,

    /// <summary>A node that is down starts on what its disk has.</summary>
    Start,

    /// <summary>A fault: a node loses power, and with it all that is not synced.</summary>
    Crash,

    /// <summary>A fault: the sender of the oldest request gives it up.</summary>
    GiveUp,

    /// <summary>A fault: the controller does not hear from a broker.</summary>
    Fence,

    /// <summary>A fault: nobody fetches for longer than a replica may lag.</summary>
    Lag,
}

/// <summary>One step of a search: what happens, and to which nodes.</summary>
internal readonly record struct Choice(ChoiceKind Kind, int Node = 0, int Peer = 0)
{
    /// <summary>Whether it counts against the bound on faults.</summary>
    public bool IsFault => Kind >= ChoiceKind.Crash;

    public override string ToString() => Kind switch
    {
        ChoiceKind.Deliver or ChoiceKind.Exchange or ChoiceKind.DeliverLate or ChoiceKind.GiveUp => $"{Kind} {Node}>{Peer}",
        ChoiceKind.Settle => $"{Kind} {Node}-{Peer}",
        ChoiceKind.Elect or ChoiceKind.Lag => $"{Kind}",
        _ => $"{Kind} {Node}",
    };

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static Choice Parse(string text)
    {
        var parts = text.Split([' ', '>', '-'], StringSplitOptions.RemoveEmptyEntries);
        return new Choice(
            Enum.Parse<ChoiceKind>(parts[0]), parts.Length > 1 ? Number(parts[1]) : 0, parts.Length > 2 ? Number(parts[2]) : 0);

        static int Number(string digits) => int.Parse(digits, System.Globalization.CultureInfo.InvariantCulture);
    }
}
