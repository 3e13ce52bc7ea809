import ImageCore

/// One result of Pillow's `Image.resize` on `TestPictures.noise(width: 23, height: 17)` at half contrast.
struct ResizeFixture: Sendable {
    var filter: ResizeFilter
    var width: Int
    var height: Int
    var base64: String
}

/// Written by Fixtures/make_fixtures.py; not to be edited by hand.
enum Fixtures {
    static let pillowTexts = """
        iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAACnRFWHRBdXRob3IAWm/rY3/0kAAAABtpVFh0VGl0bGUAAQAAAHicO9+sYKtgqG\
        dkCgAQPQKW5L0AqwAAAB56VFh0Q29tbWVudAAAeJxLTE/MzFNIzEtRSBzSLAAwaUT9n8OcBgAAAAxJREFUeJxjYGBgAAAABAAB9hc4VQAAAABJ\
        RU5ErkJggg==
        """

    static let palettePNG = """
        iVBORw0KGgoAAAANSUhEUgAAAAIAAAABAQMAAADO7O3JAAAABlBMVEX/AAAAAP9sof2OAAAACklEQVR4nGNwAAAAQgBBKTf07wAAAABJRU5Erk\
        Jggg==
        """

    static let sixteenBitPNG = """
        iVBORw0KGgoAAAANSUhEUgAAAAIAAAABEAAAAACB2fwVAAAADUlEQVR4nGNoaPj/HwAGggL/s75RMwAAAABJRU5ErkJggg==
        """

    static let transparentPNG = """
        iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAQAAABeK7cBAAAADUlEQVR4nGM8wcDwHwAEKQHJcJXHxwAAAABJRU5ErkJggg==
        """

    static let resized = [
        ResizeFixture(
            filter: .box, width: 9, height: 6,
            base64: """
                hX51h5ljgYh2bYVwhoN7h5qbe3aBil9ufHONlG9+nJeGdoJvlYtyf4GLkZCIe5SCbXObcoOLh52Gh5Ryh42Wlm+DeIGMmqBreIJybpFhj42Tcn\
                ptgV9PkY2If3iDiXCTcKJ+dnWNaEl/kn12c3qLgHaPb4qIkndvb5GKk5CFiIJ2hHKTZnpwhYl+b4CGc4FzmIaAe4t9jHqOfIiHbmKAfo+R
                """),
        ResizeFixture(
            filter: .box, width: 31, height: 29,
            base64: """
                Xm+AmkZvmkZvo4dCkWB2i6tei6teva5pl4RbTUloTUloUJqKcGGgt1Zqt1ZqvXGGe7+we7+wm7q8U2+XVH9WVH9Wi69qQrldqkNxqkNxRWxQp3\
                RSjqW3jqW3QUO/Xm+AmkZvmkZvo4dCkWB2i6tei6teva5pl4RbTUloTUloUJqKcGGgt1Zqt1ZqvXGGe7+we7+wm7q8U2+XVH9WVH9Wi69qQrld\
                qkNxqkNxRWxQp3RSjqW3jqW3QUO/pnpylbudlbudfnVSs5+RioRGioRGdYi5a6NjtLh3tLh3d21ClJ94f6tkf6tkQGyUSmVbSmVbX6KAjom9fW\
                a+fWa+nJB5jE+4qUFYqUFYh0KHfHp4Qpe5Qpe5noCnbJG7ZqOKZqOKilFDiKtKRbpcRbpcaWV3oGpeTZiWTZiWgn5xQZlKrpOOrpOOfZpel2xx\
                l2xxjqCmvqZnrEyTrEyTRElYn2eVq3Wqq3Wqc49Hi2h9T0BOT0BOs3GMbJG7ZqOKZqOKilFDiKtKRbpcRbpcaWV3oGpeTZiWTZiWgn5xQZlKrp\
                OOrpOOfZpel2xxl2xxjqCmvqZnrEyTrEyTRElYn2eVq3Wqq3Wqc49Hi2h9T0BOT0BOs3GMgGd/uUtjuUtjpH59n694lViNlViNUb9uZmBMXXC2\
                XXC2oVShkYRspHGBpHGBX3CMlXGclXGckI+jo72nuWuGuWuGYFd3cY+HYblOYblOpU6rdFKhbKGWbKGWcXCzgGd/uUtjuUtjpH59n694lViNlV\
                iNUb9uZmBMXXC2XXC2oVShkYRspHGBpHGBX3CMlXGclXGckI+jo72nuWuGuWuGYFd3cY+HYblOYblOpU6rdFKhbKGWbKGWcXCzp0aXd65Xd65X\
                apm9lKqBqneBqneBVaGnr31unlJAnlJAm7BdfpRRl2exl2exvo15orNuorNuWlCCm5xyeY9HeY9HqqysbbVdY2GrY2GrQF+uqKSOhKGAhKGAYY\
                5rp0aXd65Xd65Xapm9lKqBqneBqneBVaGnr31unlJAnlJAm7BdfpRRl2exl2exvo15orNuorNuWlCCm5xyeY9HeY9HqqysbbVdY2GrY2GrQF+u\
                qKSOhKGAhKGAYY5ro1Wpi1Rwi1RwnoRPdKOMv7+Nv7+NiVZVoItfR7RtR7Rtv7pvdWyAX32UX32UQ5mrR3tjR3tjgpBjt5qQb4GGb4GGV7qWc7\
                2kiUm4iUm4W6CXQk1HWXZ2WXZ2jZ6/R71Uk2ljk2ljkLC+nk+xvbJBvbJBrL6VamiMn1emn1emqlWHuEe8dr+bdr+bba5zbZqWbZqWlalpk7Wk\
                sYChsYChmLNJakCKc51uc51uR5tQqK1zbHaobHaojoqvR71Uk2ljk2ljkLC+nk+xvbJBvbJBrL6VamiMn1emn1emqlWHuEe8dr+bdr+bba5zbZ\
                qWbZqWlalpk7WksYChsYChmLNJakCKc51uc51uR5tQqK1zbHaobHaojoqvX72Tp5uKp5uKuU6mYrNusKibsKibRIyQjW2RsrKmsrKmuX6NkpS9\
                eExKeExKgGOnoHaToHaTtXJFmrhMlplClplCZb6/dFRzVWaOVWaOqI1jSUubuINDuINDn5OTX72Tp5uKp5uKuU6mYrNusKibsKibRIyQjW2Rsr\
                KmsrKmuX6NkpS9eExKeExKgGOnoHaToHaTtXJFmrhMlplClplCZb6/dFRzVWaOVWaOqI1jSUubuINDuINDn5OTpZpsSrGxSrGxp7hnRbtod2BK\
                d2BKZ5Czq6iudpVRdpVRlJVBQ1dDUERrUERrqqC3WHSkWHSkl79Ci3age7FSe7FSREdNWXh3kqhAkqhASpFYdK28s6qds6qdmo+UglR+hnVohn\
                VohYZ/ZE5VjkJBjkJBlV56vLxgqqC9qqC9na+TTFO6f2ybf2ybl3RyhGGehGGeYb+YRpGHmFRAmFRAnqluRL5rjEC0jEC0e0hFrHuDj6KEj6KE\
                coJYglR+hnVohnVohYZ/ZE5VjkJBjkJBlV56vLxgqqC9qqC9na+TTFO6f2ybf2ybl3RyhGGehGGeYb+YRpGHmFRAmFRAnqluRL5rjEC0jEC0e0\
                hFrHuDj6KEj6KEcoJYYlhVbHxZbHxZU7V3WV1Jto9bto9bj4idc3htaZSKaZSKdWtXm3Bkf52tf52tYWubuVd8uVd8maJmfJVvZU6+ZU6+lGi3\
                Tkq+QFJUQFJUVketZaZ7vmF0vmF0nEVzYlhVbHxZbHxZU7V3WV1Jto9bto9bj4idc3htaZSKaZSKdWtXm3Bkf52tf52tYWubuVd8uVd8maJmfJ\
                VvZU6+ZU6+lGi3Tkq+QFJUQFJUVketZaZ7vmF0vmF0nEVzv3y5dWhVdWhVW1+ktnl6k1h9k1h9VENdaWW4jaCsjaCsiFNqdmJGQUZIQUZISJ1n\
                mEqSmEqSSHV0r35XirFDirFDpIW4iVaBX0RLX0RLr5O9i7VLS1VjS1VjTYiFaFiqc7WTc7WTQH9udE2/Yam+Yam+RqN2aaJ+a2Nka2Nkm3+Rfl\
                hWg49mg49maLuobpi4bpi4Zou2n6agqZtyqZtyoJWOsnxnbXGYbXGYXqWOu0ScaKSkaKSkbZVfaFiqc7WTc7WTQH9udE2/Yam+Yam+RqN2aaJ+\
                a2Nka2Nkm3+RflhWg49mg49maLuobpi4bpi4Zou2n6agqZtyqZtyoJWOsnxnbXGYbXGYXqWOu0ScaKSkaKSkbZVfdLl7VEViVEVimnylU5VOim\
                STimSTrr28SrJHjICtjICtp7GTrYxsqJGfqJGfcL+oVbiRVbiRuo6wuqtJUk1iUk1iZoqZXX5EglePglePvGe1RJ5DWVJkWVJkQ015dLl7VEVi\
                VEVimnylU5VOimSTimSTrr28SrJHjICtjICtp7GTrYxsqJGfqJGfcL+oVbiRVbiRuo6wuqtJUk1iUk1iZoqZXX5EglePglePvGe1RJ5DWVJkWV\
                JkQ015vbGoVplCVplCYWd8W7KeaZh0aZh0qEhybJBOi5qRi5qRorxViXetdKeIdKeIU59yi11Fi11Fmr2rf2BKlr1Mlr1MiWSpQJR6Z1tTZ1tT\
                WGuDY7K4tqiBtqiBgFiivbGoVplCVplCYWd8W7KeaZh0aZh0qEhybJBOi5qRi5qRorxViXetdKeIdKeIU59yi11Fi11Fmr2rf2BKlr1Mlr1MiW\
                SpQJR6Z1tTZ1tTWGuDY7K4tqiBtqiBgFiijlO6rZ14rZ14bXJxaVN2mVW2mVW2VH5MrENOT768T768m55jp3i5f5Cqf5CqskKdgJJDgJJDhZqS\
                h3aJQ4pvQ4pvt6euQEp8fHNCfHNClkeLp75jo1i2o1i2TpaYj6d+lruWlruWaVtNWF+UfrBTfrBTaLdCUJR4YVGuYVGukoBCkFmeXpp5Xpp5nL\
                N6UpCrUpCraFm+uVaCoby1oby1kVV1kIeScWC9cWC9U26eQJF0rqVrrqVrVG2xj6d+lruWlruWaVtNWF+UfrBTfrBTaLdCUJR4YVGuYVGukoBC\
                kFmeXpp5Xpp5nLN6UpCrUpCraFm+uVaCoby1oby1kVV1kIeScWC9cWC9U26eQJF0rqVrrqVrVG2x
                """),
        ResizeFixture(
            filter: .box, width: 40, height: 5,
            base64: """
                e36Pe36Ph4yHjm9Ijm9ImY5wmY5wc6NVc6NViYmIi4Zfi4Zfb4h8b4h8boJqboJqbIh2oYd0oYd0fn19fn19dIV/dIV/g6mhioqUioqUf2aNf2\
                aNeYNpeYNpenqOqlN8qlN8ampfampfj3Jtj3JtYH+VhmemhmemhHCFhHCFlG5jj5OSj5OSkZOOkZOOr5B3r5B3d52AiHRpiHRpeHOCeHOCqYV9\
                qYV9j3N+hIWYhIWYc5GJc5GJe46Be46BgIZ8oqqToqqTlX99lX99fpyBfpyBb5CFcICIcICIYnqQYnqQgnx6gnx6bYyNe4qje4qjgo5/go5/fZ\
                aMooSEooSEWZRkWZRkkm5ikm5ia36Up5uKp5uKm6KRm6KRo5Z2o5Z2YGqTbVRwbVRwln2bln2bf26cf26cj6VgeZV8eZV8jopHjopHbY9+bY9+\
                W4NyfG+BfG+BendVendVeHyeeHyeqZp3joyAjoyAf3mNf3mNanhpYoSMYoSMdm50dm50jX2KjX2KdouLZIx7ZIx7e4aSe4aSkHx5kHx5j25be4\
                F/e4F/YKGVYKGVhXyWhXyWgIyQoZlsoZlse3p1e3p1kIOmkIOmemd7ZFhyZFhyiHqriHqrfI9pfI9pc2t4Zmx0Zmx0no6gno6giKZwaGdpaGdp\
                X3eNX3eNgIp/gIp/d39VeHhceHhcaY6paY6pmp5Tmp5TlW2scJuOcJuOi4eDi4eDdIBmdIBmgpCplWRylWRyfqx7fqx7m3WZm3WZW3eDcWVxcW\
                Vxa2CPa2CPbquFbquFrYyLYXSkYXSk
                """),
        ResizeFixture(
            filter: .box, width: 1, height: 1,
            base64: """
                gIOA
                """),
        ResizeFixture(
            filter: .bilinear, width: 9, height: 6,
            base64: """
                i4B5jI1pfopxfIVzfoN/goyVgnaChmd2dnaTjHl+jZN+goFzioN4g4aFj42DgIuDc3uLdoKJh46DjZKBjoqHkXuHeoOKkJdzeY17cIF4h4iIeX\
                92e3Zri4eDfXp7fHWJf4p5eHqAcnB8i4J8cX+Cc32KdIuCi4B4c5OKi46ChX9/e3aFcHt9hYiAcXp7eYRxjI2Lg4mJhoWDfX6Ec3OAf4SO
                """),
        ResizeFixture(
            filter: .bilinear, width: 31, height: 29,
            base64: """
                Xm+Ag1Z2nV1foYNHlGZujoxom6xiu6tonoxebmRiTmFyUZiLaW6blVuEuV1xvXGGjKulir22i6m0VXGYVHppbZVffbFnR7heiGlrgFRjVW1Qnn\
                NSl5STcH+6QUO/eXN7jHN+l3dsln9NnHl3k41nkp1loJ6Ei5NmfIBnbnpuYIhwd3yJkHd8nXVxjm+LcpGPdqeafqSmanqlZXaJeIp3iKByYpJ/\
                kVxwik1mZ2BkkXRhf5GZbIW3ZFq2pHpym5+LjqCBhHlXqZaGm49lhIZrdouwb51zkqxun6Bod3BGjJNuiaJvcplwRGyUSWlsVoVwa5yPiom6gH\
                C7inqdmIWEi1axn0d3mkJsg0yDfnV4WY2hZo2ym36ohoeaf5+Vf5N5h2hNl5ple6NcZ5NocHaRg4FrgZd2e5h7fHhca5NegJ1ti5h6YoV2b3Br\
                d4R+hJ+UppmOnGqfg2CJdGZzlF2hpF2Pl2R3fW1ohHB4Xmp9b22IqniYb4uzcJKXfIBwjmBMi55QaaxbV5ppaXF0jmphcH9+X4qQhHl2Wo9Yfp\
                Jun5CCeZRkj3dyk4SOmKCauKlysWqHgE55WFJnk2qPnniakYJ+fIFch2h+ZlZndVtuqnGRenOQk2l7oWhtnXhtmaRsiot3coN7WaJucHBXZnCE\
                a3Oml2GSgoBukoJ0lnuDZ3x/iXOMk4GZlZuhqbaWsnuNi1x9X110e4GJeJtyhIl4k1+QfVmWbHaKcH6Rg3CojF2Gm2VvnnRxk4qPmqd/m4GDhH\
                2GVbF9dXhfdmh3f2qQnnKLkINtlnt7l3GOfHmGkoKMjYGTh4iYn7GXpIh9kHR8dXqFcJh7ZpxwcX6GhVephGmdeo6TcJKUbHmdo0mVjYFweZ95\
                dJmxj6eJoIqBjYSMWqKdmIJ1n2VamGxTm6Zkh5dYjX2Cn3GgtIp7paN1gYN8bWeCmp54iJFZj5Z2mKaZcbBmZoGNWGWmWWepmpWTjZ+HdZl8Y4\
                typU2gj257gYdwg5GIhKOHoZ+HnpGEcn1+nYNri4JehJBaq7NmhYxne3mGfnqfg5OReZdzcoRue3l2p5qBg45tepyBfrSbcbiBdHWhZGarVH6a\
                c3pxcoZ2cpCFdpaUnVyjkliDkmdmmYlcfZqFobCLr595jGBamYBgcZxrbq9xvLByiXqAbXaMWoiZRpqnSYV4ZodljpRus5yQhoiLaZuMYLmUcb\
                WhgW+udXClV5SGSltRVGloboWUjZ2+Z5lxgHdrknh4lJyZkXWiqpd6ta1nnpd/hHx9f3aIj3eNsXeApVyeh3+gaqiUX6eGYJWFdpd2k6Nzn6yb\
                nI2Zj5iAfadtbnCQdnmLaIx6V5pogI1lcH6EdYCijpG1Tb1je5FpmYKHmZS2kW+lqJF2rrBqka2TeXiPjWybpmmdrV+Kr1uwkoChdaKGcpyAd5\
                SQipZ7m6JrlbWNpJSMnZx5hqBsbkyDbHh6Z5NoZ5dbjJV5hYOJhoGZkoyoW72Ih6OFqICRq2ameJeBlaeElKONWZKRfnSQnYqcsZaftniOn4Oy\
                iHOJeWRqfXCekXmWo3xwq4lPmrZbmp9Vh6d6b6egclh6YmWDdH13jodoX2GPjnRrpYdvnJGYfK+Df6iRkpWVqYCJZa1xfJ10gouFV42ejIedmZ\
                iPnp19qIdvfn6EbWFxclZukXyuhneflINwpJVOlJxujaFUdJlpW4SKaGZ2bXhwdodne4pqXnailoh/rJN5nZGTpZpsbaiWa7OXnrhnVbtoYoZX\
                cm9sa5KznqOvjp57f5VMkZNBVWVDSk1YZ1x/qqC3bX+pdph1lK9Xi3idgKBpYoFQSFBVWHV0gJlSdJ5KUZZocKqynauoqaCamo+UkHF3eoKAe5\
                KAjphzYYBhcWFPhFpdhXeQq6eEo6eJlp6HlqJyWmeDWliIeWeJn4aPfXCcdJKLc7N7Y4eRgH5dg31TcIdjUJ9ven19fmltbm1ZkIyTm56Tk5qD\
                g4dxfFV3f2ltgH9ueoh6Zlpaf1BLlFZYlmp+qqJopqaPnJ+olKGJZ2mjbWekg3SUjnJ5jWSQfIuUZLGMUJOEfWVjlXRnjKB6TKp5bWWVe0WDfF\
                Fem31+mo+CjItzeXddaldfb21da4tnX6J1XGZTim5Ro31pkH+ShoZyfpCCeo+If3tmhW10hH6Seoiibm2RnF6InYB7haRzcJR1cWSTgmKiiHSm\
                UWeqUVV/V0t8YlWQdJR/nYB5pmV0klRsgmR3dm9kZoFoWpKDc25hlnNhm3hxenCHcXGHc4aPd4mFfGNdimlafHVzZX6KWHyJl12FlnF3gJFqjY\
                1nenmHhHGkj2u0ZlCqU01tXFV6dG2ncqRyiXhsjl1zgVx5uXqyj3B5a2hwY2edonR+oWd5glVzWUpnZmCjfIWtioqXhlVofGBPXlhMR2BWSppr\
                hV+HdWGCY3ptqYBakp5PlJh9nXquh1iJakpefWN7o5Ori7FZZndcU2hwUoOEkmmxgIGNZoV8VG6KiGSahXSea32OTnZtY4GQc4KPgnqEkWl9gG\
                BZb2VTYHxkWa2Jd4GebXmeaYSQpJJ+nqBlnpp8oYaZn2x3eGBzdHeIipadoX56dH1/XIR9Xo9xaWKlbY6XYpqFTXp6a1upaoG3XqOmUqZ9YaR5\
                aoFyfG92m4OPiWZlhXdif5p7abuoaqSxbZS1epGvoKaYoJh7nZN/nI+GqH5ngnOGbIOVc5GSqFWTgICZZ5aGaY5icJuKZXx7aXB+e32RYn53cH\
                yMg42iirShX65nbZB6jIOVo6CRoIRvnYd6kZyUbr6oYbKgfZ6npJSgsahmgXlmcnh8eIqIeH9Teml8imuclnudboFmYnRvWGh1UGNxiLeHaH9r\
                aGZwhXqVXZdtb4V6j4CUp52hZKZccpZ8k5SbpbOCpJB/no+MjZ+YaLaZZaWEiZ2UsJqYqpZMeXhXanV6aoGPV4RXbmZxil+Qk3KdVZ5qZn5pZm\
                B1VFCEs7KieptpXYFcZ3CDXKORZZ2EgH55pVx5dIlWe5V1kqGForlgk4mUhJCXcaSGV6N5eHhbkI58maWWiG1Ni5pNiY93eHGdSI92XmxjaWFv\
                ZXWPYKmlj6ONloGJeFacqIewjpN7dYplZm55YoOJcoCPgHGCg2FgiGtSe459fqyPnq1emISfh4ukepOTfnWFhHVVi5BwjZ6Tg2xodpVfhZZ/jH\
                +iRnR+YWpbcmJkdmmJgK6RnpaXk36banSejla4oYKSlY52bW5waVh2hFaZg2WSWnxMmVFPeIWKZbKhm5xlo4ClkYSwi32lsUacjH5cgZVshZCR\
                iXaJWoV5eJeLn5OjSlKAamZYhmFklluGorFoo32YgnGpTpWZj4eVmKCPjJV6aWNfYVyBd3h/fJRpYZ9IcH5iZXiRa4CWlYpSmG6UgX6ZeZKKpI\
                iHdI6Ea4KYfm6kpGOGiZSUjZGTl3OLdXCKdGqNcWSSbGqQaJxykpF+iIOUUn2oj6d+k7ONhpl8Z1tUW16Jbo5ud7JOZrVFVZtuWW+Wb1+Pkn9F\
                kGKJdnuLbqB5nLN6ZZmeXXW0eliwtlaEqJ6mmo2YkV97kISQe22vZGawUHSXQo54h55ui4+GVG2x
                """),
        ResizeFixture(
            filter: .bilinear, width: 40, height: 5,
            base64: """
                gneMhn6IjYiCjn5sj3Zal4xrlJdvgpRje5JwepGIgIhyg4JheoV2doR9eX1xeIJvdYtxjIh2mYR6gn5+eH1/eYB+fI6Lf5+cipmZkY2Vi3SQhG\
                +Ee3tzen1+fHuNjm1/k2N1fWJ0e2d1iG94dnuGYoSVeHaehW2khHSOiHWBjnhskIB7kIqLjJSHkZqDo5h9k5V9c5GAgYJ1jXdugHx5hoJ9oYp6\
                m4V7hnp9hH2JgYGReoqMeI6GfYx/gIh7g4N4l5mBoqGElop6iYl8e5uGdpeGc46Fc3+NcHeQaH2LbHyEeXd7d318c4WBfImTgouefYx3fIx7eY\
                yAh4+EkJGEdIt1cYVpkH1hjH9zeIWSiIuPlpGKkpWMk5OFm4p0i3p5cmWIbmeBcG2Af36PhYCXgHOWhod+j6Vgh5xzg5N8iIprg4drdop6aYB+\
                XnSAbHN5c3RxbnhpcYB0eYqOjIyJnoyAlYeFj4SIiHeUfnmEb31qZ354Y36IcHSAfHF9hXiDgXuDdn2BcYZ+b41/e4uNhYeNj4F9jXdyhWlnfH\
                RycoJ9Z5WHbJKOgXqSgIGTeJKSipN9lJBtiYdqiYR7koWbh3yOdnB5bWB2bF18fHGVhIGQhYx3foN3dXd7bXR3aHJ1lI2ejZCNgZVydoFybG51\
                ZHR/Z3qGe3+Kf4R9e4lpeIRgdIFicImOepOUlZ1um417mXOdiYeXfZaQg5COgIyEdIpxfI6Hi5Kok4GHk3twfpByf5GAkYKXe3qKXnR2a2t0dW\
                R4eWOMd3mMcp99hZOCl4CLc3eTXHKY
                """),
        ResizeFixture(
            filter: .bilinear, width: 1, height: 1,
            base64: """
                gIOA
                """),
        ResizeFixture(
            filter: .lanczos, width: 9, height: 6,
            base64: """
                i355jI1jeYt1eYJxhIR9gY+ZgnCAiWZvdnWVjnN+j5h/fH1wj4R4foeFlIuChIyIb3mQdH+IhpKFkJSEk5GGlnqKc4KOlJ9udpJ5aoF0i46LeI\
                J4d3BjjoiJdnh2e2mKgY14dnN/cG19koV6b3yCc3uOc4uFkH91bpSLj5ODhnx6fXSHbHt7hoyAbnl3eYlsj4+RgouLiYeCeX2CcHJ/gYmS
                """),
        ResizeFixture(
            filter: .lanczos, width: 31, height: 29,
            base64: """
                T3WFeUV6q1BSpYhCkVxqfoZtnL9dxq9er49bYkdcN1RyTaGVXW+plUaFz1BnzXODjriulNXImaq+UG+SQnJTdZZTeb1mOctSk2Zwg0hqQHhAom\
                9HuKOQaX3DMTO/d3Fzj2uCoHZol4VLoHSAlIVomKNgpqaIi5pmfHhgbXNrXIpxd3uXmXN8om5nkGuQaZKVc7eag6erY3esU26IgJNvj7B1V5t9\
                llRpjz1jXV1klHFai6igZYvJW1G3pnNsoaaUh6eDg3ZTrpiQo5NdgYBkdYu5ZJxzmrppqqFqdW1EjI5xlrFvb5xuQmuVQ11rUYdga6aRi4q9fm\
                fJin6UnI6BiVa2okJynjxhhEeJgXR1SpmlYpC8onylj4ager+paaV7gFhEnp1kdsBOUpFja2KgiXltjbF0hah7fXhLXZlKfrJtjKeCWYxxaV9V\
                bHhwfqmQs5uHrGCxelSNb2NroU2su0yommF0e3VeiHh5Q1t1a2V8yISQZ468Z5uhenVnklVCj5tFXcJZRZ5rbWlsn11XZoGBTo2jhXl7R49Lep\
                FwspCLfphflHJqmX2em66gva1px2eHcjl3QUtZk2uMr32vjox7eYtMi2d/WkNcc1NjtHKXbnqTkl99sk1kpXZjmq1jioh9bX+BWadecGZDUmqM\
                W3XJnVeffntsl4Rvm3iEXXqBhmiRn3qlm62orb6Yy3yVh0J3Rk5sen6OdbVsiZtqoVeUeEebXnKBcYCSiGm3i1h/pVxfqnBvkZShnrWGsmaDiG\
                2SS8qDaX5WeVRzhV6goGiQmoZqonx4mWaRfnGJmIeRj3qYfYSfmbahq5F5m2l4e3iNa5d5VLZUa35/kj7AimSqgaqcbqCdYHKepUGYkINhbrJ2\
                bprEj62OtH9yiXyTU62omIt7rk9OnWFPmahihqJMiXaGp2etvop4t7hveH5/YlaImJ54hZdGlZF4pqyjb7JeY4WCS1S0U2GtpZ6YobCLb5l6XI\
                lruDm0kG+AcZZkfouDeKyAqbOJnYuNamt+sYVtkoZMfJ9FrcxafJ5XaGqDgW6uipOVfqRmYXtedmd0rJN1eY1VaZuEg8qvctB9fWCuYUvMRoic\
                bHlqdX9icpR+dpyNn12nkU+Lll9XnIpTdZeFo8KZuaN2jVdSonlaX6VtYLtzwLJyjnSBZGmLV4+eP5uqPIB3XoFWl5tut52Ti4GSW5OJWcSTcL\
                yki2Cye2yvU6CERFVJR1hXcYugkp/HX6Roe2djmHBwk62YkWO1rY5xxcJOrpp+gHp8aW6OiHaQsm9/r0GghXytX8iXU7OES5GKbZtymLZyoKys\
                ooC9lJd3ealSammYhHaSZJxvSKRdiJlYaXeJaHu5lZO/N9BbdpNVqn2MlJjQlF24soFku8hekryeaXGSkFiluF6nrVGQvkzBnoezdLR7dp11fZ\
                eYk5SAnKRlkL2Nq4qXsqV1j6lhbjh/Z3B/XKRcZ5VRnaF6jYOPgHuck4ylS8WNha99xW+VrFayb5GAoLKBoKuXTpKPcmaKqYumv56puXOXqIrO\
                jXmMd1tUfGibmHuisXFvrYNIl75RoJhCjbCDcrq0dlF3UVCJeIR7nYVjWlaUjGddso1gmZGbhbKId7qdnJCitHaAU8ZleLR1goWVQIqjin+onq\
                KNmq1rqotmfI+CW1ZXbzxdkna9hnWzmnlctY05nppkj61CYaNpSXqka195aHJqfpNef45zQ2qxl4F2xZppn5KdrphlY6ecZbWiprpjUcNqW4BL\
                dWFkapS4pam8j515e5ZDk5RBVWdBNDtPbVuAqqC3aXm6bJplnrZPjHafhKlvYIc/QEFYVHJ3jaNUeKA3RpJpbKq3prKxrp6Tl42Uomt4eH2Fdp\
                qFlZ1wYYJmZk09fz1Pi3ORu7uGrK2Lmp6JmaxzR16DPD2MgWmFqI+IdWmlYJqQZ8aDWoGeg3pTlXoya4pSSLRijImMi11lZm5EoJCTo7CqhKSF\
                eY1rc0x5gl5li4VreIV+YE5agEM8nlFZmmd7sKtVrq2TpaO9l6eTYmWza2K8jn6Ujmx0lFaMg4yeWsOVRZqCeE1ZsGdjkrx+RLl1aF2ugiePfE\
                hNoXN4pZiKh4tsdnNTWE1UbGBUcp5oVaxySllPjWVAt5BxlYaZhohieZJ6dZGRfX1njWdzlIykf5u2bmaWpVGFsoN7hrdyaJx1Y02kjVCykX+s\
                S2e0Q1SBUTl6V0eWbY+Drot8t1pxlUlmhmtzeGdXXIVlVZ2IbnZZpnVQq4BzeW+PZl+MaouWb4+EdldPl2ZDhn1uVIKUUXmMpU+CqGdshJdWlo\
                tdbXaOem23k13IYzy9PUdMVk5udG/FYLtvinpYm0F1g1SDw3+9l3BwWF1jY2WnqXp7tGt2f0ttV0NkYFangJPCj5OahlFlgGFIXU5FOFxRR5lo\
                lVuKc1OGV3torX1Wk6Q8jaR/o3fAiFWNWj1CfFp+s567jb9UXW9GS1l2UYmJn1zJkIqZWJRvSV+Ll1islnm7U36GPGZaZHyceYechXh/k2N/eF\
                ZZX1A9UnpQVrGBgn6nXmmnToGWpI2HsbVPp7Jxr4mhsHF0e1RoY4KLkKucu3Z/d3iHSJiDXqFvX1ajb5GgYrN/R3lyZkyrbn/LWbasT699Y7B3\
                ZXpmeWZ1nYWUiWJliG9Vh6aAbL2uaay5aI66epK2oKugpph7mpGCoJSGroBih2uLWY+fb5WNskaViXuqYKaHbYxYYJ6CWXR5cWWHg4WSWnxpZm\
                mFkZG+i9CtWMNZX4Nsj3uppaWbpolnrIByoqGld8C1T8uodp20upKqurdqdmdhXmSKeJqFen9HeWR6l2e5pHufbX1WV2tmUF95SWJok9SEXXxZ\
                YT9slX6iW61hXoRcp3CguaKvWLROZJN4pZOzp7mBp5l3qIaNkKOgYr6WVKp3jZiexp2espc8cG49W2aHYoKWTIpRY2JiokmjnnOmPa5gVYZNak\
                pyTEKLwsCoeKdhSXFFa2yJXK6aVbd7iHdzsFN8bY5Nb5l3n6GJo71akYWWhYeha7OCT6t0cmhInI+EnK+lh2ZFj6Q2lJR9cmOnQpd4WXBbbk9p\
                WXiUUK2xlruFon2AdkmltHfHmJl8bJRLXWp8YoSSdImifGeJgEdUmVJAfZWGdsaQobFZm3ypgoy3c5iSe2WCjlgzl51eia+gdWVrZ5pFl6x/mH\
                65OHCGVG4/dFdIb2aIjrihuaaonnujbHueiE69p4OVnp1uaGxwYlRtkUqog2qfVX9Go0Q9eYKcU8Wrnppjr3eki4u7iX6os0SdjXtQeKRijI6c\
                i3eMRXxvfKSNrpiuSEyCXmhIj1tjmVWKo7phsXyYfmSzR52UhoCRn6aZl6B6Z1xZWk9+f3CLgaFkWqlCcH9YX2ypYn+dloZOpGaTd3uleJeGq4\
                iJdJaGVYWggmCpq2GKhpqciZmanm6Eem2KdGyRdl2ea2eSYZ1pnpVyiX6ZRX+pj7BzlMWVhZ56ZFFMU1iSaptyf8c1abtFR65sTWGsdU2Mkn4+\
                l1uHaG+TZ69olsN1YqGlRW7NfEizvU5/vLaxmJKfjElpmY6PgHHDX13DQHeYK4d9kbFZmZWCTWC6
                """),
        ResizeFixture(
            filter: .lanczos, width: 40, height: 5,
            base64: """
                gXCOhXyOjYiEjHpijnJRnItllptufJJecY9weZGIhYluhoJZd4V1b4OEdHxzboJocI1skotzo4F6iHt/dHh8enx9fZCQf6GjiaGgkIqVjGySg2\
                SAenNuc4F8e3+Nl26Bml5xe1xxe2FzjWx3d4GFYIaXdHOgh2SjhHeWiHeBj3lqlX56komUiZqSlaGHrJyBlZuBbZaBeoF0jXBtenR4hYKAq4t9\
                qIZ4inx7g3uKgoSVd4+RdJWGe5F9fIB1hH52n5+CrquGoIt6iIV6d5uHc52Gd4yDdn+Nbn6VZoSRbH+HeHV9cnh2boWAfI6Xh5GleY5vd412e4\
                2Ck5KKlJOFa4l3an9fmXxRmHxqeoGRiIiXn5KQmJuVmJqHn4xvjnR8cGCUYF2Gamt5gn6Li3iggmmeh4R3j6lXgaVve4+ChoVriopke5F4ZIOE\
                WW+EaWt/dXFsbXZZaYFrdouOlZCOqI19nYiDkIWKjm+bgXKCanllWYJzXoGKbnR+f213hnKDgXWLd3mHbYh8bZJ8d46LhoiRjoSBjHZog2pcf2\
                1rdIOBX56LaZWPhnaSg3qYdpSVipt/lpBnhYJehX18lIGhjICZdXJ2ZVpnalV8fWugjIabiY91f4VxcXN8aG50ZW9sl5OkkJqRgppzeH5pbmh1\
                XnKBYoGOeISQg4qBfY1od4ZOb39eaIOaeJacmKZop5BynHShh4affZ6Oh5eSgY6AbY5pdZOKj5CtoHmOl3dme5ZofZuDkoGYfHeMXXdyZ25se2\
                J8fl2QcXyOaqJ+ip99moCMcnSYUXGe
                """),
        ResizeFixture(
            filter: .lanczos, width: 1, height: 1,
            base64: """
                gIOA
                """),
    ]
}
