using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Simulation.Exhaustive;

/// <summary>A request and what takes its outcome at the sender.</summary>
internal sealed class Exchange(
    int from, int to, int incarnation, IMessage request, Action<IMessage?, ErrorCode, string> complete)
{
    public int From => from;

    public int To => to;

    /// <summary>Of the sender: one that started anew gets no reply.</summary>
    public int Incarnation => incarnation;

    public IMessage Request => request;

    /// <summary>Whether the sender was told that nothing comes back.</summary>
    public bool IsGivenUp { get; set; }

    public void Complete(IMessage? response, ErrorCode code, string text) => complete(response, code, text);
}

/// <summary>A request or a reply on its way.</summary>
internal sealed record InFlight(
    Exchange Exchange, bool IsReply, IMessage? Response = null, ErrorCode Error = ErrorCode.None, string Text = "")
{
    public int From => IsReply ? Exchange.To : Exchange.From;

    public int To => IsReply ? Exchange.From : Exchange.To;

    /// <summary>Whether it is a request that nobody waits for: it may come at any time.</summary>
    public bool IsLate => !IsReply && Exchange.IsGivenUp;
}
