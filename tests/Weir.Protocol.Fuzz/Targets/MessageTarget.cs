using Weir.Protocol.Fuzz.Messages;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Targets;

/// <summary>Decodes the body of one message.</summary>
internal sealed class MessageTarget(MessageCase message) : FuzzTarget(message.Name)
{
    /// <summary>Of an answer, which a client asked for: it may be a list of names of one character, each a string of its own.</summary>
    private const int AllocatedPerByteOfAnswers = 16;

    public override long AllowedBytes(int received) => Name.Contains(".Response.", StringComparison.Ordinal)
        ? ((long)AllocatedPerByteOfAnswers * received) + AllocatedBesides
        : base.AllowedBytes(received);

    public override byte[] CreateValid(SeededRandom random) => random.Next(200) switch
    {
        0 => message.EncodeRandom(random, isDense: true, elements: random.Next(40_000)),
        < 20 => message.EncodeRandom(random, isDense: true, elements: random.Next(400)),
        _ => message.EncodeRandom(random),
    };

    public override void Decode(byte[] input) => message.Decode(input);
}
