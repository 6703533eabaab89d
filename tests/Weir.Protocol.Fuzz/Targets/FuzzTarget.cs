using Weir.Protocol.Errors;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Targets;

/// <summary>A decoder under test.</summary>
public abstract class FuzzTarget(string name)
{
    /// <summary>Bytes that a decoder may allocate for each byte it was given.</summary>
    public const int AllocatedPerByte = 4;

    /// <summary>What it may allocate besides: an exception with its text and stack trace, first buffers.</summary>
    public const int AllocatedBesides = 64 * 1024;

    public string Name { get; } = name;

    /// <summary>Most bytes that decoding an input may allocate.</summary>
    public virtual long AllowedBytes(int received) => ((long)AllocatedPerByte * received) + AllocatedBesides;

    /// <summary>An encoding that the decoder accepts.</summary>
    public abstract byte[] CreateValid(SeededRandom random);

    /// <summary>Decodes; any exception but a <see cref="ProtocolException"/> is a failure.</summary>
    public abstract void Decode(byte[] input);
}
